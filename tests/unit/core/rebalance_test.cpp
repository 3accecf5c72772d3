// Where the groups' members and leaders should be: single decisions, and that
// any cluster gets to where it should be by steps that are safe.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "actors/core/cluster/rebalance.hpp"
#include "actors/core/raft/members.hpp"

using namespace muster;
using namespace std::chrono_literals;
using cluster::placed_group;
using cluster::placed_node;
using wish = placed_node::wish;

namespace {

std::vector<node_id> ids(std::initializer_list<std::uint64_t> all) {
  std::vector<node_id> out;
  for (const auto each : all)
    out.emplace_back(each);
  return out;
}

placed_group group_of(std::uint64_t number, std::uint64_t leader,
                      std::vector<node_id> voters,
                      std::vector<node_id> learners = {}) {
  placed_group g{partition_id{number}, node_id{leader}, {}, true, {}};
  g.caught_up.insert(voters.begin(), voters.end());
  g.caught_up.insert(learners.begin(), learners.end());
  g.members = {std::move(voters), {}, std::move(learners)};
  return g;
}

/// One that may be given a replica of any group.
placed_node node_of(std::uint64_t number) {
  placed_node out{.id = node_id{number}};
  for (std::uint64_t p = 0; p < 20; ++p)
    out.bound.emplace(p);
  return out;
}

std::vector<placed_node> nodes_of(std::size_t count) {
  std::vector<placed_node> out;
  for (std::size_t n = 1; n <= count; ++n)
    out.push_back(node_of(n));
  return out;
}

/// Node 1 of three leads, and both others have all of its log.
raft::fsm leader_of_three() {
  raft::fsm::settings s;
  s.self = node_id{1};
  s.members.voters = ids({1, 2, 3});
  raft::fsm f{s, raft::stored_group{}};
  const auto say = [&f](std::uint64_t from, auto what) {
    f.step({node_id{from}, node_id{1}, term_id{1}, what});
    const auto out = f.take_output();
    if (out.write != 0)
      f.written(out.write);
  };
  f.tick(steady_time{});
  f.tick(steady_time{2 * s.election_after});
  say(2, raft::vote_reply{true, true});
  say(2, raft::vote_reply{true, false});
  for (const std::uint64_t other : {2, 3})
    say(other, raft::append_reply{true, log_index{1}, {}});
  return f;
}

/// Groups as their leaders would have them, without any time: what is decided
/// is done, or lost.
struct world {
  std::vector<placed_node> nodes;
  std::vector<placed_group> groups;
  cluster::placement_rules rules;
  std::mt19937_64 random;

  bool alive(node_id id) const {
    const auto found = std::ranges::find(nodes, id, &placed_node::id);
    return found != nodes.end() && found->alive;
  }
  bool chance(unsigned percent) { return random() % 100 < percent; }

  /// Living voters elect; learners that live catch up, some later.
  void live() {
    for (auto& g : groups) {
      const auto majority =
          raft::majority(g.members, [this](node_id n) { return alive(n); });
      if (!majority) {
        g.leader = {};
        continue;
      }
      const auto leads = [&](node_id n) {
        return alive(n) && raft::is_voter(g.members, n);
      };
      if (!leads(g.leader))
        g.leader = *std::ranges::find_if(g.members.voters, leads);
      std::erase_if(g.caught_up, [&](node_id n) {
        return !raft::everybody(g.members).contains(n);
      });
      for (const auto n : raft::everybody(g.members))
        if (alive(n) && (n == g.leader || chance(70)))
          g.caught_up.insert(n);
    }
  }

  /// What must hold of each step.
  void check(const cluster::placement_steps& steps) const {
    CHECK(steps.changes.size() <= rules.changes_max);
    for (const auto& c : steps.changes) {
      const auto& g = groups[c.group.value];
      CHECK(c.leader == g.leader);
      CHECK(c.from == g.members);
      CHECK_MESSAGE(raft::majority(c.to, [&](node_id n) { return alive(n); }),
                    "no living majority");
      for (const auto n : c.to.voters)
        CHECK_MESSAGE((raft::is_voter(g.members, n) || g.caught_up.contains(n)),
                      "a vote for who has nothing");
    }
    for (const auto& m : steps.moves) {
      const auto& g = groups[m.group.value];
      CHECK(m.from == g.leader);
      CHECK(g.caught_up.contains(m.to));
      CHECK(raft::is_voter(g.members, m.to));
      CHECK(alive(m.to));
    }
    for (const auto gone : steps.gone)
      for (const auto& g : groups)
        CHECK_FALSE(raft::everybody(g.members).contains(gone));
  }

  /// True if nothing was left to do.
  bool step(unsigned lost_percent) {
    const auto steps = cluster::rebalance(nodes, groups, rules);
    check(steps);
    for (const auto& c : steps.changes)
      if (!chance(lost_percent))
        groups[c.group.value].members = c.to;
    for (const auto& m : steps.moves)
      if (!chance(lost_percent))
        groups[m.group.value].leader = m.to;
    for (const auto gone : steps.gone)
      std::erase_if(nodes, [&](const auto& n) { return n.id == gone; });
    live();
    return steps.changes.empty() && steps.moves.empty() && steps.gone.empty();
  }

  bool settle() {
    std::size_t quiet = 0;
    for (std::size_t n = 0; n < 1000 && quiet < 5; ++n)
      quiet = step(20) ? quiet + 1 : 0;
    return quiet == 5;
  }

  /// Difference of the most and the least, over those that stay and live.
  template <class Count>
  std::size_t spread(Count count) const {
    std::vector<std::size_t> all;
    for (const auto& n : nodes)
      if (n.alive && n.wants == wish::stay)
        all.push_back(count(n.id));
    const auto [least, most] = std::ranges::minmax(all);
    return most - least;
  }
  std::size_t votes(node_id n) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(groups, [&](const auto& g) {
          return g.group.value != 0 && raft::is_voter(g.members, n);
        }));
  }
  std::size_t leads(node_id n) const {
    return static_cast<std::size_t>(
        std::ranges::count(groups, n, &placed_group::leader));
  }
};

world world_of(std::size_t count, std::size_t partitions, std::uint64_t seed) {
  world w{nodes_of(count), {}, {}, std::mt19937_64{seed}};
  std::vector<node_id> all;
  for (const auto& n : w.nodes)
    all.push_back(n.id);
  for (std::size_t p = 0; p <= partitions; ++p)
    w.groups.push_back(group_of(p, 1, all));
  w.live();
  return w;
}

} // namespace

TEST_CASE("rebalance: a new member learns first, then votes") {
  auto nodes = nodes_of(4);
  const std::vector groups{group_of(0, 1, ids({1, 2, 3}))};
  auto steps = cluster::rebalance(nodes, groups, {});
  REQUIRE(steps.changes.size() == 1);
  CHECK(steps.changes[0].to.voters == ids({1, 2, 3}));
  CHECK(steps.changes[0].to.learners == ids({4}));
  steps =
      cluster::rebalance(nodes, {group_of(0, 1, ids({1, 2, 3}), ids({4}))}, {});
  REQUIRE(steps.changes.size() == 1);
  CHECK(steps.changes[0].to.voters == ids({1, 2, 3, 4}));
}

TEST_CASE(
    "rebalance: a leader that drains hands over before it loses its vote") {
  auto nodes = nodes_of(4);
  nodes[0].wants = wish::drain;
  std::vector groups{group_of(0, 1, ids({2, 3, 4}), ids({1})),
                     group_of(1, 1, ids({1, 2, 3}), ids({4}))};
  groups[0].leader = node_id{2};
  auto steps = cluster::rebalance(nodes, groups, {});
  REQUIRE(steps.moves.size() == 1);
  CHECK(steps.moves[0].group == partition_id{1});
  CHECK(steps.changes.empty());
  groups[1].leader = steps.moves[0].to;
  steps = cluster::rebalance(nodes, groups, {});
  REQUIRE(steps.changes.size() == 1);
  CHECK(steps.changes[0].to.voters == ids({2, 3, 4}));
  CHECK(steps.changes[0].to.learners.empty());
}

TEST_CASE("rebalance: who leaves is forgotten once no group has it") {
  auto nodes = nodes_of(4);
  nodes[3].wants = wish::leave;
  nodes[3].alive = false;
  std::vector groups{group_of(0, 1, ids({1, 2, 3})),
                     group_of(1, 2, ids({1, 2, 3}), ids({4}))};
  auto steps = cluster::rebalance(nodes, groups, {});
  CHECK(steps.gone.empty());
  REQUIRE(steps.changes.size() == 1);
  CHECK(steps.changes[0].to.learners.empty());
  groups[1].members.learners.clear();
  groups[1].settled = false;
  CHECK(cluster::rebalance(nodes, groups, {}).gone.empty());
  groups[1].settled = true;
  CHECK(cluster::rebalance(nodes, groups, {}).gone == ids({4}));
}

TEST_CASE("rebalance: a lost member is replaced only if there is another") {
  auto nodes = nodes_of(3);
  nodes[2].alive = false;
  nodes[2].lost = true;
  CHECK(cluster::rebalance(nodes, {group_of(1, 1, ids({1, 2, 3}))}, {})
            .changes.empty());
  nodes.push_back(node_of(4));
  const auto steps =
      cluster::rebalance(nodes, {group_of(1, 1, ids({1, 2, 3}), ids({4}))}, {});
  REQUIRE(steps.changes.size() == 1);
  CHECK(steps.changes[0].to.voters == ids({1, 2, 4}));
}

TEST_CASE("rebalance: no change without a living majority afterwards") {
  auto nodes = nodes_of(3);
  nodes[1].alive = false;
  nodes[2].wants = wish::leave;
  const auto steps =
      cluster::rebalance(nodes, {group_of(1, 1, ids({1, 2, 3}))}, {});
  CHECK(steps.changes.empty());
}

TEST_CASE("rebalance: partition 0 is everywhere, the others on their voters") {
  const auto steps = cluster::rebalance(
      nodes_of(6), {group_of(0, 1, ids({1, 2, 3, 4, 5}), ids({6})),
                    group_of(1, 2, ids({1, 2, 3})),
                    group_of(2, 4, ids({4, 5, 6}))},
      {});
  CHECK(steps.changes.empty());
}

TEST_CASE("rebalance: who has a replica and is no member gives it up") {
  auto nodes = nodes_of(4);
  for (auto& n : nodes)
    n.holds = {partition_id{0}, partition_id{1}};
  std::vector groups{group_of(0, 1, ids({1, 2, 3, 4})),
                     group_of(1, 2, ids({1, 2, 3}))};
  const auto left = [&] {
    return cluster::rebalance(nodes, groups, {}).dismissals;
  };
  REQUIRE(left().size() == 1);
  CHECK(left()[0].group == partition_id{1});
  CHECK(left()[0].leader == node_id{2});
  CHECK(left()[0].node == node_id{4});
  SUBCASE("not while the members change") { groups[1].settled = false; }
  SUBCASE("not as long as no leader says who they are") {
    groups[1].leader = {};
  }
  SUBCASE("later, if it cannot be reached") { nodes[3].alive = false; }
  SUBCASE("not who leaves the cluster anyway") { nodes[3].wants = wish::leave; }
  SUBCASE("not who is about to vote") {
    groups[1].members.learners = ids({4});
  }
  CHECK(left().empty());
}

TEST_CASE("rebalance: who may have forgotten its votes is dismissed first") {
  auto nodes = nodes_of(4);
  const auto bound = std::exchange(nodes[3].bound, {});
  const std::vector groups{group_of(0, 1, ids({1, 2, 3})),
                           group_of(1, 1, ids({1, 2, 3})),
                           group_of(2, 2, ids({1, 2, 3}))};
  auto steps = cluster::rebalance(nodes, groups, {});
  CHECK(steps.changes.empty());
  // Not of each group: two votes of nine are even.
  REQUIRE(steps.dismissals.size() == 2);
  CHECK(steps.dismissals[0].group == partition_id{0});
  CHECK(steps.dismissals[0].node == node_id{4});
  nodes[3].bound = bound;
  steps = cluster::rebalance(nodes, groups, {});
  CHECK(steps.dismissals.empty());
  CHECK(steps.changes.size() == 2);
}

TEST_CASE("rebalance: whom the leader does not hear is not caught up") {
  auto leader = leader_of_three();
  REQUIRE(leader.current_role() == raft::role::leader);
  const auto caught_up = [&] {
    return cluster::as_placed(partition_id{1}, node_id{1}, leader).caught_up;
  };
  const auto all = ids({1, 2, 3});
  CHECK(caught_up() == std::set(all.begin(), all.end()));
  for (const milliseconds later : {2'500ms, 2'900ms, 3'100ms}) {
    leader.tick(steady_time{later});
    leader.step({node_id{3}, node_id{1}, term_id{1}, raft::heartbeat_reply{}});
  }
  CHECK(caught_up() == std::set{node_id{1}, node_id{3}});
  leader.step({node_id{2}, node_id{1}, term_id{1}, raft::heartbeat_reply{}});
  CHECK(caught_up().size() == 3);
}

TEST_CASE("rebalance: any cluster settles by safe steps, and is even then") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    auto w = world_of(3 + seed % 3, 3 + seed % 14, seed);
    for (std::size_t round = 0; round < 4; ++round) {
      const auto next = w.nodes.back().id.value + 1;
      auto& some = w.nodes[w.random() % w.nodes.size()];
      switch (w.random() % 4) {
      case 0:
        w.nodes.push_back(node_of(next));
        break;
      case 1:
        if (std::ranges::count(w.nodes, wish::stay, &placed_node::wants) > 3)
          some.wants = w.chance(50) ? wish::drain : wish::leave;
        break;
      case 2:
        if (std::ranges::count(w.nodes, false, &placed_node::alive) == 0)
          some.alive = false;
        some.lost = !some.alive && w.chance(50);
        break;
      default:
        for (auto& n : w.nodes)
          n.alive = !(n.lost = false);
      }
      w.live();
      for (std::size_t n = w.random() % 4; n > 0; --n)
        w.step(20);
    }
    for (auto& n : w.nodes)
      n.alive = !(n.lost = false);
    w.live();
    REQUIRE(w.settle());
    const auto staying = static_cast<std::size_t>(
        std::ranges::count(w.nodes, wish::stay, &placed_node::wants));
    for (const auto& g : w.groups) {
      const std::size_t most = g.group.value == 0 ? 5 : 3;
      CHECK(g.members.voters.size() == std::min(staying, most));
      for (const auto& n : w.nodes)
        if (n.wants != wish::stay)
          CHECK_FALSE(raft::is_voter(g.members, n.id));
    }
    CHECK(std::ranges::count(w.nodes, wish::leave, &placed_node::wants) == 0);
    CHECK(w.spread([&](node_id n) { return w.votes(n); }) <= 1);
    // Some distributions of votes allow no better.
    CHECK(w.spread([&](node_id n) { return w.leads(n); }) <= 2);
  }
}
