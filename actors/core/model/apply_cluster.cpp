#include <algorithm>

#include "actors/core/model/apply_step.hpp"

/// Who is in the cluster: what members say of themselves, and what operators
/// say of them.
namespace muster::model {

namespace {

pb::MemberRecord* find(pb::MembershipRecord& record, std::uint64_t node) {
  auto& all = *record.mutable_members();
  const auto found = std::ranges::find(all, node, &pb::MemberRecord::node);
  return found != all.end() ? &*found : nullptr;
}

void add(pb::MembershipRecord& record, std::uint64_t node,
         const pb::MemberAddress& address, bool founder) {
  auto& m = *record.add_members();
  m.set_node(node);
  *m.mutable_address() = address;
  m.set_founder(founder);
  if (founder)
    record.add_founders(node);
}

pb::MembershipRecord founded_by(const pb::EnterCluster& command) {
  pb::MembershipRecord record;
  record.set_id(command.cluster());
  for (const auto& each : command.founders())
    if (!find(record, each.node()))
      add(record, each.node(), each.address(), true);
  if (!find(record, command.node()))
    add(record, command.node(), command.address(), true);
  return record;
}

/// Whether somebody else would be there without that member.
bool is_last(const pb::MembershipRecord& record, std::uint64_t node) {
  return std::ranges::none_of(record.members(), [&](const auto& m) {
    return m.node() != node && m.state() == pb::MemberRecord::ACTIVE;
  });
}

applied keep(const apply_step& step, pb::MembershipRecord& record) {
  record.set_version(step.index.value);
  cluster_table::put(step.state, cluster_record_key, record);
  return step.done(0, false);
}

applied no_cluster(const apply_step& step) {
  return step.refuse(errc::failed_precondition, "nobody has entered yet");
}

} // namespace

/// A member's data directory is the one it came with first: with an empty one
/// it has forgotten what it promised, and would be somebody else under its
/// name.
applied apply_to(const apply_step& step, const pb::EnterCluster& command) {
  auto record = cluster_table::get(step.state, cluster_record_key);
  if (!record)
    record = founded_by(command);
  auto* known = find(*record, command.node());
  if (!known)
    return step.refuse(errc::failed_precondition,
                       "the node is no member of this cluster");
  if (known->incarnation().empty())
    known->set_incarnation(command.incarnation());
  else if (known->incarnation() != command.incarnation())
    return step.refuse(errc::failed_precondition,
                       "the member is known with another data directory");
  else if (to_bytes(known->address()) == to_bytes(command.address()))
    return step.done(0, true);
  *known->mutable_address() = command.address();
  return keep(step, *record);
}

applied apply_to(const apply_step& step, const pb::MemberAdd& command) {
  auto record = cluster_table::get(step.state, cluster_record_key);
  if (!record)
    return no_cluster(step);
  auto* known = find(*record, command.member().node());
  if (!known) {
    if (record->members_size() >= members_max)
      return step.refuse(errc::resource_exhausted,
                         "the cluster has as many members as it may");
    add(*record, command.member().node(), command.member().address(), false);
    return keep(step, *record);
  }
  switch (known->state()) {
  case pb::MemberRecord::DRAINING:
    known->set_state(pb::MemberRecord::ACTIVE);
    return keep(step, *record);
  case pb::MemberRecord::LEAVING:
    return step.refuse(errc::failed_precondition,
                       "the member is being removed: add it again once that "
                       "is over");
  default:
    return step.done(0, true);
  }
}

applied apply_to(const apply_step& step, const pb::MemberChange& command) {
  auto record = cluster_table::get(step.state, cluster_record_key);
  if (!record)
    return no_cluster(step);
  auto* known = find(*record, command.node());
  if (!known)
    return step.refuse(errc::not_found, "it is no member of this cluster");
  if (command.kind() == pb::MemberChange::FORGET) {
    if (known->state() != pb::MemberRecord::LEAVING)
      return step.refuse(errc::failed_precondition,
                         "the member is not being removed");
    auto& all = *record->mutable_members();
    all.erase(std::ranges::find(all, command.node(), &pb::MemberRecord::node));
    return keep(step, *record);
  }
  const auto wanted = command.kind() == pb::MemberChange::DRAIN
                          ? pb::MemberRecord::DRAINING
                          : pb::MemberRecord::LEAVING;
  if (known->state() >= wanted)
    return step.done(0, true);
  if (is_last(*record, command.node()))
    return step.refuse(errc::failed_precondition,
                       "no other member would be there to take over");
  known->set_state(wanted);
  return keep(step, *record);
}

} // namespace muster::model
