#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "actors/core/base/ids.hpp"
#include "actors/core/raft/fsm.hpp"
#include "actors/core/raft/types.hpp"

/// Where the groups' members and leaders should be, and the next steps there:
/// partition 0 is on all nodes, voters or learners, another one on its voters
/// only. Pure.
namespace muster::cluster {

/// A member of the cluster, as whoever places the groups sees it.
struct placed_node {
  node_id id;
  enum class wish : std::uint8_t {
    stay,
    drain, ///< to have no votes
    leave, ///< to be in no group
  } wants = wish::stay;
  bool alive = true;
  /// Silent for so long that others take over its votes.
  bool lost = false;
  /// Groups of which it has a replica, as far as known.
  std::set<partition_id> holds{};
  /// Groups of which its disk knows what it voted for. Of any other one it may
  /// have been a member that lost its disk: first it is dismissed.
  std::set<partition_id> bound{};
};

/// A group, as its leader reports it (`as_placed`).
struct placed_group {
  partition_id group;
  node_id leader; ///< 0: none answered
  raft::configuration members;
  /// `members` is committed and no change is under way.
  bool settled = false;
  /// Who has all but the newest entries, with the leader. Not whom the leader
  /// does not hear, though others may: handed to that one, the group would have
  /// no leader for a while, again and again.
  std::set<node_id> caught_up{};
};

/// Precondition: `leader`, on the node `self`, leads.
placed_group as_placed(partition_id group, node_id self,
                       const raft::fsm& leader);

struct placement_rules {
  std::size_t meta_voters = 5; ///< of partition 0, at most
  std::size_t data_voters = 3; ///< of the other ones
  /// Groups that change at once, and leaders that move at once.
  std::size_t changes_max = 6;
  std::size_t transfers_max = 4;
};

struct member_change {
  partition_id group;
  node_id leader;
  raft::configuration from;
  raft::configuration to;
};
struct leader_move {
  partition_id group;
  node_id from;
  node_id to;
};

/// The leader is to dismiss a node that is no member (raft::fsm::dismissal).
struct dismissed_node {
  partition_id group;
  node_id leader;
  node_id node;
};

struct placement_steps {
  std::vector<member_change> changes;
  std::vector<leader_move> moves;
  /// Nodes that are no members and have a replica: to give it up. And such that
  /// are to get one and are not bound yet.
  std::vector<dismissed_node> dismissals;
  /// Leaving members that no group has any more.
  std::vector<node_id> gone;
};

/// The next steps. Done or lost, the same question is asked again a moment
/// later. Every step leaves a group with a majority of living voters, and gives
/// a vote only to who has caught up; a leader that is to lose its vote hands
/// over before. In the end votes are even among living nodes that stay, and
/// leaders as even as votes allow. `groups` are all there are.
placement_steps rebalance(const std::vector<placed_node>& nodes,
                          const std::vector<placed_group>& groups,
                          const placement_rules& rules);

} // namespace muster::cluster
