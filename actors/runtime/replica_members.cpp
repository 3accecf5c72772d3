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
  if (!core_)
    return api::to_caf({errc::unavailable, "the partition is starting"});
  out.term = core_->term();
  out.leader = core_->leader();
  if (leads())
    out.led = cluster::as_placed(parts_->group, parts_->self, *core_);
  return out;
}

caf::result<raft::log_position>
replica_state::dismissal(const dismiss& m) const {
  if (!leads())
    return api::to_caf(not_leading());
  const auto found = core_->dismissal(m.who);
  if (!found)
    return api::to_caf(found.error());
  return *found;
}

/// From here on it acknowledges nothing and votes for nobody, so that what was
/// judged stays true until the log is gone.
caf::result<api::done> replica_state::give_up(const give_up_group& m) {
  if (!has_input())
    return api::to_caf({errc::unavailable, "the partition is starting"});
  if (const auto fine = core_->may_give_up(m.dismissal); !fine)
    return api::to_caf(fine.error());
  given_up_ = true;
  return api::done{};
}

void replica_state::answer_elsewhere() {
  answers_at_once_ = true;
  desk_->answer_late();
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
