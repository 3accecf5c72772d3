#include <algorithm>

#include "actors/core/model/apply_step.hpp"

namespace muster::model {

/// A member's data directory is the one it came with first: with an empty one
/// it has forgotten what it promised, and would be somebody else under its
/// name.
applied apply_to(const apply_step& step, const pb::EnterCluster& command) {
  auto record = cluster_table::get(step.state, cluster_record_key);
  if (!record)
    record.emplace().set_id(command.cluster());
  const auto& members = record->members();
  const auto known =
      std::ranges::find(members, command.node(), &pb::MemberRecord::node);
  if (known != members.end())
    return known->incarnation() == command.incarnation()
               ? step.done(0, true)
               : step.refuse(errc::failed_precondition,
                             "the member is known with another data directory");
  auto& entered = *record->add_members();
  entered.set_node(command.node());
  entered.set_incarnation(command.incarnation());
  cluster_table::put(step.state, cluster_record_key, *record);
  return step.done(0, false);
}

} // namespace muster::model
