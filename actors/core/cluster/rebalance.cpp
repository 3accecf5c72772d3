#include "actors/core/cluster/rebalance.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "actors/core/raft/members.hpp"

namespace muster::cluster {

namespace {

using node_set = std::set<node_id>;
using load_map = std::map<node_id, std::size_t>;

/// Somebody who lacks so many entries has them in a moment.
constexpr std::uint64_t entries_behind_max = 1000;

std::vector<node_id> listed(const node_set& nodes) {
  return {nodes.begin(), nodes.end()};
}

class rebalancing {
public:
  rebalancing(const std::vector<placed_node>& nodes,
              const std::vector<placed_group>& groups,
              const placement_rules& rules)
      : nodes_(nodes), groups_(groups), rules_(rules) {
    for (const auto& n : nodes_)
      if (is_home(n))
        load_[n.id] = 0;
  }

  placement_steps run() {
    choose_voters();
    even_votes();
    bool settled = true;
    for (const auto& g : groups_)
      changing_ += g.leader.value != 0 && !g.settled ? 1 : 0;
    for (std::size_t i = 0; i < groups_.size(); ++i)
      settled = step(groups_[i], wanted_[i]) && settled;
    if (settled)
      even_leaders();
    dismiss();
    forget();
    return std::move(out_);
  }

private:
  static bool stays(const placed_node& n) {
    return n.wants == placed_node::wish::stay;
  }
  /// Votes may be given to it.
  static bool is_home(const placed_node& n) { return stays(n) && n.alive; }
  const placed_node* find(node_id id) const {
    const auto found = std::ranges::find(nodes_, id, &placed_node::id);
    return found != nodes_.end() ? &*found : nullptr;
  }
  /// As a voter, or as one who follows.
  bool is_wanted(node_id id, std::size_t group) const {
    return groups_[group].group.value == 0 || wanted_[group].contains(id);
  }
  bool lives(node_id id) const {
    const auto* n = find(id);
    return n && n->alive;
  }
  std::size_t load_of(node_id id) const {
    const auto found = load_.find(id);
    return found != load_.end() ? found->second : 0;
  }

  void choose_voters();
  node_set voters_for(const placed_group& g, std::size_t count) const;
  void even_votes();
  bool step(const placed_group& g, const node_set& voters);
  std::optional<node_id> successor(const placed_group& g,
                                   const node_set& voters) const;
  raft::configuration next(const placed_group& g, const node_set& voters) const;
  bool may_vote(const placed_group& g, const node_set& voters) const;
  void even_leaders();
  bool move_leader(load_map& led, std::vector<node_id>& leaders);
  void dismiss();
  void forget();

  const std::vector<placed_node>& nodes_;
  const std::vector<placed_group>& groups_;
  const placement_rules& rules_;
  /// Votes in partitions 1…P by node.
  load_map load_;
  std::vector<node_set> wanted_;
  std::size_t changing_ = 0;
  placement_steps out_;
};

/// Whoever votes goes on, unless it goes or is lost; living ones with the
/// fewest votes come to them; the lost ones stay where nobody else is there.
node_set rebalancing::voters_for(const placed_group& g,
                                 std::size_t count) const {
  const node_set now(g.members.voters.begin(), g.members.voters.end());
  node_set chosen;
  std::vector<node_id> fresh;
  std::vector<node_id> rest;
  for (const auto& n : nodes_) {
    if (!stays(n))
      continue;
    if (!now.contains(n.id)) {
      if (n.alive)
        fresh.push_back(n.id);
    } else if (n.lost) {
      rest.push_back(n.id);
    } else {
      chosen.insert(n.id);
    }
  }
  while (chosen.size() > count)
    chosen.erase(*std::ranges::max_element(chosen, {}, [&](node_id n) {
      return std::tuple{!lives(n), n != g.leader, load_of(n), n};
    }));
  std::ranges::sort(fresh, {}, [&](node_id n) {
    return std::pair{load_of(n), n};
  });
  for (const auto* some : {&fresh, &rest})
    for (const auto n : *some)
      if (chosen.size() < count)
        chosen.insert(n);
  return chosen;
}

void rebalancing::choose_voters() {
  for (const auto& g : groups_)
    if (g.group.value != 0)
      for (const auto n : g.members.voters)
        if (const auto l = load_.find(n); l != load_.end())
          ++l->second;
  for (const auto& g : groups_) {
    const bool meta = g.group.value == 0;
    wanted_.push_back(
        voters_for(g, meta ? rules_.meta_voters : rules_.data_voters));
    if (meta)
      continue;
    const node_set before(g.members.voters.begin(), g.members.voters.end());
    for (auto& [node, load] : load_) {
      load += wanted_.back().contains(node) && !before.contains(node) ? 1 : 0;
      load -= before.contains(node) && !wanted_.back().contains(node) ? 1 : 0;
    }
  }
}

/// As long as one has two votes more than another, it gives one away.
void rebalancing::even_votes() {
  while (!load_.empty()) {
    const auto by_load = [](const auto& l) { return l.second; };
    const auto least = std::ranges::min_element(load_, {}, by_load);
    const auto most = std::ranges::max_element(load_, {}, by_load);
    if (most->second < least->second + 2)
      return;
    std::size_t i = 0;
    while (groups_[i].group.value == 0 || !wanted_[i].contains(most->first)
           || wanted_[i].contains(least->first))
      ++i; // there is one: the other has fewer
    wanted_[i].erase(most->first);
    wanted_[i].insert(least->first);
    --most->second;
    ++least->second;
  }
}

bool rebalancing::may_vote(const placed_group& g,
                           const node_set& voters) const {
  const node_set now(g.members.voters.begin(), g.members.voters.end());
  const auto is_ready = [&](node_id n) {
    return now.contains(n) || g.caught_up.contains(n);
  };
  const auto living =
      std::ranges::count_if(voters, [this](node_id n) { return lives(n); });
  return std::ranges::all_of(voters, is_ready)
         && static_cast<std::size_t>(living) > voters.size() / 2;
}

/// With the voters that are wanted, if they are ready, else with those that
/// are; and everybody as learner who is to follow or to vote later.
raft::configuration rebalancing::next(const placed_group& g,
                                      const node_set& voters) const {
  const node_set now(g.members.voters.begin(), g.members.voters.end());
  const auto& voting = may_vote(g, voters) ? voters : now;
  const auto members = raft::everybody(g.members);
  node_set learners;
  for (const auto& n : nodes_)
    if (n.wants != placed_node::wish::leave && !voting.contains(n.id)
        && (g.group.value == 0 || voters.contains(n.id))
        && (members.contains(n.id) || n.bound.contains(g.group)))
      learners.insert(n.id);
  return {listed(voting), {}, listed(learners)};
}

/// Who could lead instead of a leader that goes.
std::optional<node_id> rebalancing::successor(const placed_group& g,
                                              const node_set& voters) const {
  for (const auto n : g.members.voters)
    if (n != g.leader && voters.contains(n) && lives(n)
        && g.caught_up.contains(n))
      return n;
  return std::nullopt;
}

/// True if the group is as it should be.
bool rebalancing::step(const placed_group& g, const node_set& voters) {
  if (g.leader.value == 0 || !g.settled || voters.empty())
    return false;
  const auto to = next(g, voters);
  const auto& now = g.members;
  const auto same = [](std::vector<node_id> a, const std::vector<node_id>& b) {
    std::ranges::sort(a);
    return a == b;
  };
  if (same(now.voters, to.voters) && same(now.learners, to.learners))
    return same(now.voters, listed(voters));
  if (changing_ >= rules_.changes_max)
    return false;
  ++changing_;
  const bool leader_goes =
      std::ranges::find(to.voters, g.leader) == to.voters.end();
  if (const auto heir = leader_goes ? successor(g, voters) : std::nullopt)
    out_.moves.push_back({g.group, g.leader, *heir});
  else
    out_.changes.push_back({g.group, g.leader, now, to});
  return false;
}

/// One leader from who leads two more than another; by way of third ones, if
/// the two share no group.
bool rebalancing::move_leader(load_map& led, std::vector<node_id>& leaders) {
  const auto by_load = [](const auto& l) { return l.second; };
  const auto most = std::ranges::max_element(led, {}, by_load);
  std::map<node_id, std::size_t> reached_by; // a group of who is before
  std::vector<node_id> found{most->first};
  for (std::size_t at = 0; at < found.size(); ++at) {
    if (led[found[at]] + 2 <= most->second) {
      ++led[found[at]];
      for (auto node = found[at]; node != most->first;) {
        const auto i = reached_by.at(node);
        const auto from = leaders[i];
        out_.moves.push_back({groups_[i].group, from, node});
        leaders[i] = node;
        node = from;
      }
      --most->second;
      return true;
    }
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      if (leaders[i] != found[at] || leaders[i] != groups_[i].leader)
        continue;
      for (const auto n : wanted_[i])
        if (led.contains(n) && n != most->first
            && groups_[i].caught_up.contains(n)
            && reached_by.try_emplace(n, i).second)
          found.push_back(n);
    }
  }
  return false;
}

void rebalancing::even_leaders() {
  load_map led;
  for (const auto& n : nodes_)
    if (is_home(n))
      led[n.id] = 0;
  std::vector<node_id> leaders;
  for (const auto& g : groups_) {
    leaders.push_back(g.leader);
    if (const auto l = led.find(g.leader); l != led.end())
      ++l->second;
  }
  while (!led.empty() && out_.moves.size() < rules_.transfers_max
         && move_leader(led, leaders)) {
  }
}

/// Who leaves the cluster keeps what it has: nobody will read it.
void rebalancing::dismiss() {
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const auto& g = groups_[i];
    if (g.leader.value == 0 || !g.settled)
      continue;
    const auto members = raft::everybody(g.members);
    for (const auto& n : nodes_)
      if (n.alive && n.wants != placed_node::wish::leave
          && !members.contains(n.id)
          && (n.holds.contains(g.group)
              || (!n.bound.contains(g.group) && is_wanted(n.id, i))))
        out_.dismissals.push_back({g.group, g.leader, n.id});
  }
}

void rebalancing::forget() {
  for (const auto& n : nodes_) {
    const auto is_rid = [&](const placed_group& g) {
      return g.leader.value != 0 && g.settled
             && !raft::everybody(g.members).contains(n.id);
    };
    if (n.wants == placed_node::wish::leave
        && std::ranges::all_of(groups_, is_rid))
      out_.gone.push_back(n.id);
  }
}

} // namespace

placed_group as_placed(partition_id group, node_id self,
                       const raft::fsm& leader) {
  placed_group out{group, self, leader.members(), false, {self}};
  out.settled = !raft::is_joint(out.members)
                && leader.members_at(leader.commit()) == out.members;
  for (const auto node : raft::everybody(out.members)) {
    const auto* p = leader.progress_of(node);
    if (p && leader.may_take_over(*p)
        && p->state == raft::progress::mode::replicate
        && p->match.value + entries_behind_max >= leader.last().index.value)
      out.caught_up.insert(node);
  }
  return out;
}

placement_steps rebalance(const std::vector<placed_node>& nodes,
                          const std::vector<placed_group>& groups,
                          const placement_rules& rules) {
  return rebalancing(nodes, groups, rules).run();
}

} // namespace muster::cluster
