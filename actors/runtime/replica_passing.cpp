// What a member that does not lead does with writes and reads: it has the
// leader do them, and answers once it has applied the same.
#include <utility>

#include "actors/runtime/replica.hpp"

namespace muster::runtime {

namespace {

error no_leader() {
  return {errc::unavailable, "the partition has no leader now"};
}

/// Nothing was done there; another member may be asked.
bool nothing_happened(const error& e) {
  return e.code == errc::unavailable || e.code == errc::resource_exhausted;
}

} // namespace

node_id replica_state::other_leader() const {
  const auto leader = core_ ? core_->leader() : node_id{};
  return leader == parts_->self ? node_id{} : leader;
}

caf::result<model::outcome>
replica_state::pass(const std::shared_ptr<const pb::Command>& command) {
  if (parked_writes_.size() >= parts_->proposals_max)
    return api::to_caf(
        {errc::resource_exhausted, "too many writes in progress"});
  auto named = std::make_shared<pb::Command>(*command);
  // Asked twice, it is done once.
  named->set_client(passing_client_);
  named->set_sequence(++passing_sequence_);
  pass_on(std::make_shared<passed_write>(passed_write{
      std::move(named), now() + parts_->times.leader_wait, reply{self_}}));
  return caf::delegated<model::outcome>{};
}

void replica_state::pass_on(std::shared_ptr<passed_write> w) {
  const auto leader = other_leader();
  if (leader.value == 0 && !leads()) {
    parked_writes_.push_back(std::move(w));
    return;
  }
  const auto done = [this, w](const model::outcome& o) {
    late_.push_back({o.index, o, std::move(w->to)});
    answer_late();
  };
  const auto failed = [this, w](const caf::error& e) {
    const auto why = api::from_caf(e);
    if (!api::is_ours(e) || !nothing_happened(why))
      w->perhaps_done = true;
    // The name of the command makes it safe to ask again.
    if (now() < w->until)
      parked_writes_.push_back(w);
    else
      give_up(*w, why);
  };
  const auto wait = parts_->times.answer_wait;
  if (leads())
    self_
        ->request(caf::actor_cast<member_actor>(self_), wait,
                  propose_here{w->command})
        .then(done, failed);
  else
    self_
        ->request(parts_->gate, wait,
                  propose_at{leader, parts_->group, w->command})
        .then(done, failed);
}

caf::result<log_index> replica_state::pass_read() {
  if (parked_reads_.size() >= parts_->proposals_max)
    return api::to_caf(
        {errc::resource_exhausted, "too many reads in progress"});
  pass_on(std::make_shared<passed_read>(
      passed_read{now() + parts_->times.leader_wait, reply{self_}}));
  return caf::delegated<log_index>{};
}

void replica_state::pass_on(std::shared_ptr<passed_read> r) {
  const auto leader = other_leader();
  if (leader.value == 0 && !leads()) {
    parked_reads_.push_back(std::move(r));
    return;
  }
  const auto done = [this, r](log_index index) {
    late_.push_back({index, {}, std::move(r->to)});
    answer_late();
  };
  const auto failed = [this, r](const caf::error& e) {
    if (now() < r->until)
      parked_reads_.push_back(r);
    else
      r->to.fail(api::from_caf(e));
  };
  const auto wait = parts_->times.answer_wait;
  if (leads())
    self_->request(caf::actor_cast<member_actor>(self_), wait, read_here{})
        .then(done, failed);
  else
    self_->request(parts_->gate, wait, read_at{leader, parts_->group})
        .then(done, failed);
}

/// Somebody may lead now.
void replica_state::pass_parked() {
  if (other_leader().value == 0 && !leads())
    return;
  for (auto& w : std::exchange(parked_writes_, {}))
    pass_on(std::move(w));
  for (auto& r : std::exchange(parked_reads_, {}))
    pass_on(std::move(r));
}

void replica_state::drop_overdue() {
  const auto is_overdue = [this](const auto& p) { return now() >= p->until; };
  std::erase_if(parked_writes_, [&](const auto& w) {
    if (!is_overdue(w))
      return false;
    give_up(*w, no_leader());
    return true;
  });
  std::erase_if(parked_reads_, [&](const auto& r) {
    if (!is_overdue(r))
      return false;
    r->to.fail(no_leader());
    return true;
  });
  // What failed for a moment is tried again.
  pass_parked();
}

void replica_state::give_up(passed_write& w, const error& why) {
  if (w.perhaps_done)
    w.to.fail({errc::unknown, "the partition's leader did not answer"});
  else
    w.to.fail(why);
}

/// This node shows what it has answered.
void replica_state::answer_late() {
  std::erase_if(late_, [this](late_answer& a) {
    if (a.index > applied_)
      return false;
    if (a.outcome)
      a.to.deliver(std::move(*a.outcome));
    else
      a.to.deliver(a.index);
    return true;
  });
}

} // namespace muster::runtime
