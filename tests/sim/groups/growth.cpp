// Nodes come to a fleet; what places the groups is the real one.
#include "tests/sim/groups/growth.hpp"

#include <algorithm>
#include <map>

#include "actors/core/raft/members.hpp"
#include "tests/sim/groups/fleet.hpp"
#include "tests/sim/raft/checker.hpp"

namespace muster::sim {

namespace {

constexpr std::uint64_t look_every_ms = 1'000; ///< runtime's placement_settings
constexpr std::uint64_t even_within_ms = 600'000;

/// Partition numbers begin at 1: 0 has more voters than the others.
cluster::placement_rules rules() { return {}; }

struct spread {
  std::size_t least = ~std::size_t{0};
  std::size_t most = 0;
  void add(std::size_t value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
  bool is_even() const { return most <= least + 1; }
};

/// What does not hold once nothing is left to do; empty = all well.
std::string judge(const std::vector<cluster::placed_node>& nodes,
                  const std::vector<cluster::placed_group>& groups) {
  std::map<node_id, std::size_t> votes;
  std::map<node_id, std::size_t> leads;
  for (const auto& g : groups) {
    if (g.members.voters.size() != rules().data_voters
        || !g.members.learners.empty())
      return "a group has not as many members as it should";
    ++leads[g.leader];
    for (const auto n : g.members.voters)
      ++votes[n];
  }
  spread voting;
  spread leading;
  for (const auto& n : nodes) {
    voting.add(votes[n.id]);
    leading.add(leads[n.id]);
  }
  if (!voting.is_even())
    return "votes are not even: " + std::to_string(voting.least) + " to "
           + std::to_string(voting.most);
  if (!leading.is_even())
    return "leaders are not even: " + std::to_string(leading.least) + " to "
           + std::to_string(leading.most);
  return {};
}

/// Looks and orders until nothing is left to do.
void even_out(fleet& f, growth_report& r) {
  for (std::uint64_t passed = 0; passed < even_within_ms;
       passed += look_every_ms) {
    const auto nodes = f.placed_nodes();
    const auto groups = f.placed_groups();
    const auto steps = cluster::rebalance(nodes, groups, rules());
    const bool settled =
        std::ranges::all_of(groups, &cluster::placed_group::settled);
    if (steps.changes.empty() && steps.moves.empty() && settled) {
      r.rebalance_ms = passed;
      if (const auto wrong = judge(nodes, groups); !wrong.empty())
        throw violation{wrong};
      return;
    }
    r.changes += steps.changes.size();
    r.moves += steps.moves.size();
    f.carry_out(steps);
    f.pass(look_every_ms);
  }
  throw violation{"votes and leaders do not get even"};
}

} // namespace

growth_report run_growth(std::uint64_t seed, std::uint64_t ms,
                         const growth_settings& s) {
  growth_report r;
  r.scene = "  " + std::to_string(s.groups) + " groups over "
            + std::to_string(s.nodes) + " nodes, " + std::to_string(s.added)
            + " come\n";
  try {
    fleet f(seed, {.nodes = s.nodes, .groups = s.groups, .slow_us = 0});
    const auto calm = f.measure(ms);
    const auto seconds = static_cast<double>(ms) / 1'000.0;
    const auto idle = static_cast<double>(s.groups / 2) * seconds;
    const auto per_node = static_cast<double>(s.nodes) * seconds;
    r.idle_messages = static_cast<double>(calm.idle_messages) / idle;
    r.idle_bytes = static_cast<double>(calm.idle_bytes) / idle;
    r.replica_ticks = static_cast<double>(calm.replica_ticks) / per_node;
    r.envelopes = static_cast<double>(calm.envelopes) / per_node;
    // What elections left uneven is not what is measured.
    growth_report before;
    even_out(f, before);
    f.add_nodes(s.added);
    even_out(f, r);
    r.simulated_ms = ms + before.rebalance_ms + r.rebalance_ms;
    r.ticks = calm.replica_ticks + f.figures().replica_ticks;
  } catch (const violation& v) {
    r.violation = v.what;
  }
  return r;
}

void growth_report::add(const growth_report& other) {
  simulated_ms += other.simulated_ms;
  idle_messages = std::max(idle_messages, other.idle_messages);
  idle_bytes = std::max(idle_bytes, other.idle_bytes);
  replica_ticks = std::max(replica_ticks, other.replica_ticks);
  envelopes = std::max(envelopes, other.envelopes);
  ticks += other.ticks;
  rebalance_ms = std::max(rebalance_ms, other.rebalance_ms);
  changes += other.changes;
  moves += other.moves;
}

void growth_report::tell(board& line, double seconds) const {
  line.add("simulated_hours", static_cast<double>(simulated_ms) / 3.6e6)
      .add("ticks_per_s", static_cast<double>(ticks) / seconds)
      .add("node_ticks_per_s", replica_ticks)
      .add("node_envelopes_per_s", envelopes)
      .add("idle_group_messages_per_s", idle_messages)
      .add("idle_group_bytes_per_s", idle_bytes)
      .add("rebalance_s_max", static_cast<double>(rebalance_ms) / 1'000.0)
      .add("member_changes", changes)
      .add("leader_moves", moves);
}

} // namespace muster::sim
