// A replica's part in placement: says how its group stands, and does what the
// node that leads partition 0 decides.
#include "actors/core/raft/members.hpp"
#include "actors/runtime/replica.hpp"

namespace muster::runtime {

namespace {

/// Somebody who lacks so many entries has them in a moment.
constexpr std::uint64_t entries_behind_max = 1000;

error not_leading() {
  return {errc::unavailable, "another member leads the partition"};
}

} // namespace

caf::result<group_status> replica_state::status() const {
  group_status out;
  out.group = parts_->group;
  out.leads = leads();
  if (!out.leads)
    return out;
  out.term = core_->term();
  out.members = core_->members();
  out.settled = !raft::is_joint(out.members)
                && core_->members_at(core_->commit()) == out.members;
  for (const auto node : raft::everybody(out.members)) {
    const auto* p = core_->progress_of(node);
    if (node == parts_->self
        || (p && p->state == raft::progress::mode::replicate
            && p->match.value + entries_behind_max
                   >= core_->last().index.value))
      out.caught_up.push_back(node);
  }
  return out;
}

caf::result<api::done> replica_state::change(const change_group& m) {
  if (!leads())
    return api::to_caf(not_leading());
  if (core_->members() != m.from)
    return api::to_caf({errc::failed_precondition,
                        "the members of the partition are others now"});
  const auto begun = core_->change_members(m.to);
  if (!begun)
    return api::to_caf(begun.error());
  carry_out(core_->take_output());
  return api::done{};
}

caf::result<api::done> replica_state::hand_over_to(const hand_over& m) {
  if (!leads())
    return api::to_caf(not_leading());
  const auto begun = core_->transfer(m.to);
  if (!begun)
    return api::to_caf(begun.error());
  carry_out(core_->take_output());
  return api::done{};
}

} // namespace muster::runtime
