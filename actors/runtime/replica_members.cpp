// A replica's part in placement: says how its group stands, and does what the
// node that leads partition 0 decides.
#include "actors/runtime/replica.hpp"

namespace muster::runtime {

namespace {

error not_leading() {
  return {errc::unavailable, "another member leads the partition"};
}

} // namespace

caf::result<group_status> replica_state::status() const {
  group_status out;
  out.term = core_->term();
  if (leads())
    out.led = cluster::as_placed(parts_->group, parts_->self, *core_);
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
