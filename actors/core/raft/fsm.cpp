#include "actors/core/raft/fsm.hpp"

#include <algorithm>

#include "actors/core/base/invariant.hpp"

namespace muster::raft {

result<void> fsm::check(const settings& s) {
  const auto& m = s.members;
  if (m.voters != std::vector{s.self} || !m.outgoing.empty()
      || !m.learners.empty())
    return fail(errc::invalid_argument,
                "this version runs groups whose only member is this node");
  return {};
}

fsm::fsm(settings s, const stored_group& stored)
  : settings_(std::move(s)),
    state_(stored.state),
    last_{stored.last_term, stored.last},
    durable_(stored.last),
    commit_(stored.snapshot.last.index) {
  MUSTER_INVARIANT(check(settings_).has_value(), "configuration was checked");
  MUSTER_INVARIANT(stored.last >= stored.snapshot.last.index,
                   "the log does not end before its snapshot");
}

void fsm::tick(steady_time) {
  // Randomised time-outs (5.2) keep voters apart; a sole voter has no rival.
  if (role_ == role::follower)
    campaign();
}

void fsm::campaign() {
  // 5.2: raise the term and vote for oneself. The vote counts once it is on
  // disk, else a crash could let this node vote twice in the term.
  role_ = role::candidate;
  state_.term = state_.term.next();
  state_.vote = settings_.self;
  out_.state = state_;
  out_.became = role_;
}

void fsm::become_leader() {
  role_ = role::leader;
  out_.became = role_;
  // 8: an entry of the new term makes everything before it committable.
  term_start_ = append(entry_kind::no_op, std::make_shared<const std::string>())
                  .index;
}

log_position fsm::append(entry_kind kind,
                         std::shared_ptr<const std::string> payload) {
  last_ = {state_.term, last_.index.next()};
  entry e{last_.term, last_.index, kind, std::move(payload)};
  uncommitted_.push_back(e);
  out_.entries.push_back(std::move(e));
  return last_;
}

result<log_position>
fsm::propose(std::shared_ptr<const std::string> payload) {
  if (role_ != role::leader)
    return fail(errc::unavailable, "no leader yet");
  if (uncommitted_.size() >= settings_.uncommitted_max)
    return fail(errc::resource_exhausted, "too many writes in progress");
  return append(entry_kind::command, std::move(payload));
}

result<void> fsm::read_index(std::uint64_t context) {
  if (role_ != role::leader)
    return fail(errc::unavailable, "no leader yet");
  reads_waiting_.push_back(context);
  answer_reads();
  return {};
}

bool fsm::commit_in_own_term() const noexcept {
  return role_ == role::leader && commit_ >= term_start_;
}

void fsm::answer_reads() {
  // Thesis 6.4: a leader knows the commit index only after it has committed an
  // entry of its term. The round of heart-beats that proves leadership is empty
  // for a group of one.
  if (!commit_in_own_term())
    return;
  for (const auto context : reads_waiting_)
    out_.reads.push_back({context, commit_});
  reads_waiting_.clear();
}

void fsm::written(std::uint64_t number) {
  auto mark = writes_.begin();
  for (; mark != writes_.end() && mark->number <= number; ++mark) {
    durable_ = std::max(durable_, mark->last.index);
    // The vote for oneself is on disk: a majority of one (5.2).
    if (role_ == role::candidate && mark->term == state_.term)
      become_leader();
  }
  writes_.erase(writes_.begin(), mark);
  advance_commit();
  answer_reads();
}

void fsm::advance_commit() {
  // 5.4.2: only entries of the own term are committed by counting; older ones
  // with them.
  if (role_ != role::leader || durable_ < term_start_ || durable_ <= commit_)
    return;
  commit_ = durable_;
  out_.commit = commit_;
  const auto end
    = std::find_if(uncommitted_.begin(), uncommitted_.end(),
                   [this](const entry& e) { return e.index > commit_; });
  out_.committed.insert(out_.committed.end(),
                        std::make_move_iterator(uncommitted_.begin()),
                        std::make_move_iterator(end));
  uncommitted_.erase(uncommitted_.begin(), end);
}

output fsm::take_output() {
  if (out_.state || !out_.entries.empty()) {
    out_.write = ++write_number_;
    writes_.push_back({write_number_, last_, state_.term});
  }
  return std::exchange(out_, {});
}

} // namespace muster::raft
