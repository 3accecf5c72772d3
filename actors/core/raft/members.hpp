#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "actors/core/base/result.hpp"
#include "actors/core/raft/types.hpp"

/// Counting votes in a configuration, and how one configuration follows another
/// (thesis 4). Pure, any thread.
namespace muster::raft {

bool is_voter(const configuration& members, node_id node);
/// Voters, outgoing voters and learners.
std::set<node_id> everybody(const configuration& members);
/// Whether two sets of voters are in force at once.
inline bool is_joint(const configuration& members) {
  return !members.outgoing.empty();
}

/// Whether a majority says yes: of the voters, and of the outgoing ones if
/// there are any. Nobody is no majority.
bool majority(const configuration& members,
              const std::function<bool(node_id)>& says_yes);

/// The highest index that a majority has.
log_index majority_index(const configuration& members,
                         const std::function<log_index(node_id)>& has);

/// What to append so as to get from `now` to `target` (its `outgoing` is not
/// looked at): the target itself if at most one voter comes or goes, since any
/// majorities of both meet then (thesis 4.1); else both together.
/// `failed_precondition` while another change is under way, `invalid_argument`
/// for a target without voters or with a node that both votes and learns.
result<configuration> enter_change(const configuration& now,
                                   const configuration& target);
/// What ends a joint configuration.
configuration leave_joint(const configuration& now);

/// The payload of a configuration entry.
std::shared_ptr<const std::string> encode(const configuration& members);
/// `data_loss` if it is none.
result<configuration> decode_configuration(std::string_view payload);

} // namespace muster::raft
