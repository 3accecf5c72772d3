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
  const auto leader = any_leader();
  return leader == parts_->self ? node_id{} : leader;
}

caf::result<model::outcome>
replica_state::pass(const std::shared_ptr<const pb::Command>& command) {
  if (passed_writes_.size() + late_.size() >= parts_->proposals_max)
    return api::to_caf(
        {errc::resource_exhausted, "too many writes in progress"});
  pass_on(named(command, reply{self_}), passed_writes_);
  return caf::delegated<model::outcome>{};
}

/// Asked twice, it is done once.
std::shared_ptr<replica_state::passed_write>
replica_state::named(const std::shared_ptr<const pb::Command>& command,
                     reply to) {
  auto copy = std::make_shared<pb::Command>(*command);
  copy->set_client(passing_client_);
  copy->set_sequence(++passing_sequence_);
  return std::make_shared<passed_write>(passed_write{
      {now() + parts_->times.leader_wait, std::move(to)}, std::move(copy)});
}

/// For the next leader, or this one once it takes writes again.
void replica_state::park(const std::shared_ptr<const pb::Command>& command,
                         reply to) {
  passed_writes_.parked.push_back(named(command, std::move(to)));
}

caf::result<log_index> replica_state::pass_read() {
  if (passed_reads_.size() + late_.size() >= parts_->proposals_max)
    return api::to_caf(
        {errc::resource_exhausted, "too many reads in progress"});
  pass_on(std::make_shared<passed_read>(
              passed_read{{now() + parts_->times.leader_wait, reply{self_}}}),
          passed_reads_);
  return caf::delegated<log_index>{};
}

template <class Passed>
void replica_state::pass_on(std::shared_ptr<Passed> p, passing<Passed>& all) {
  const auto leader = any_leader();
  if (leader.value == 0) {
    all.parked.push_back(std::move(p));
    return;
  }
  p->asked = leader;
  const auto turn = ++p->turn;
  all.asked.insert(p);
  // An answer is one also if it comes after somebody else was asked.
  const auto done = [this, p, &all](const typename Passed::answer& a) {
    all.asked.erase(p);
    std::erase(all.parked, p);
    late_.push_back(p->late(a));
    answer_late();
  };
  const auto failed = [this, p, turn, &all](const caf::error& e) {
    if (turn != p->turn || all.asked.erase(p) == 0)
      return;
    const auto why = api::from_caf(e);
    if (!api::is_ours(e) || !nothing_happened(why))
      p->perhaps_done = true;
    // A read changes nothing, and the name of a command makes it safe to ask
    // again.
    if (now() < p->until)
      all.parked.push_back(p);
    else
      give_up(*p, why);
  };
  const auto wait = parts_->times.answer_wait;
  if (leads())
    self_->request(caf::actor_cast<member_actor>(self_), wait, p->for_here())
        .then(done, failed);
  else
    self_->request(parts_->gate, wait, p->for_other(leader, parts_->group))
        .then(done, failed);
}

/// Who was asked leads no more, and may be dead or cut off: the next leader is
/// asked as well.
template <class Passed>
void replica_state::leave_old_leader(passing<Passed>& all) {
  std::erase_if(all.asked, [&, leader = any_leader()](const auto& p) {
    if (p->asked == leader)
      return false;
    p->perhaps_done = true;
    all.parked.push_back(p);
    return true;
  });
}

void replica_state::leave_old_leader() {
  leave_old_leader(passed_writes_);
  leave_old_leader(passed_reads_);
}

template <class Passed>
void replica_state::pass_parked(passing<Passed>& all) {
  for (auto& p : std::exchange(all.parked, {}))
    pass_on(std::move(p), all);
}

/// Somebody may lead now.
void replica_state::pass_parked() {
  if (any_leader().value == 0)
    return;
  pass_parked(passed_writes_);
  pass_parked(passed_reads_);
}

template <class Passed>
void replica_state::drop_overdue(passing<Passed>& all) {
  std::erase_if(all.parked, [this](const auto& p) {
    if (now() < p->until)
      return false;
    give_up(*p, no_leader());
    return true;
  });
}

void replica_state::drop_overdue() {
  drop_overdue(passed_writes_);
  drop_overdue(passed_reads_);
  // What failed for a moment is tried again.
  pass_parked();
}

void replica_state::give_up(passed_write& w, const error& why) {
  if (w.perhaps_done)
    w.to.fail({errc::unknown, "the partition's leader did not answer"});
  else
    w.to.fail(why);
}

void replica_state::give_up(passed_read& r, const error& why) {
  r.to.fail(why);
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
