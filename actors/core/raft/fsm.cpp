#include "actors/core/raft/fsm.hpp"

#include <algorithm>
#include <utility>

#include "actors/core/base/invariant.hpp"
#include "actors/core/raft/members.hpp"

namespace muster::raft {

namespace {

/// Next of a sequence that looks random (splitmix64, Steele et al. 2014).
std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  auto z = state;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

configuration decoded(const entry& e) {
  auto members = decode_configuration(*e.payload);
  MUSTER_INVARIANT(members,
                   "configurations are looked at before they get here");
  return std::move(*members);
}

} // namespace

fsm::fsm(settings s, const stored_group& stored, log_index applied)
    : settings_(std::move(s)), state_(stored.state), floor_(stored.floor),
      log_(stored), durable_(stored.last), durable_state_(stored.state),
      commit_(std::max(stored.snapshot.last.index, applied)),
      handed_out_(commit_), random_(settings_.seed) {
  MUSTER_INVARIANT(commit_ <= log_.last().index,
                   "nothing is applied that is not in the log");
  const auto& base = stored.snapshot.members;
  // Who gave its replica up was removed: it is no member until the log says so.
  const auto from_beginning =
      base == configuration{} && floor_ == log_position{};
  configurations_.push_back({stored.snapshot.last.index,
                             from_beginning ? settings_.members : base});
  for (const auto& e : stored.changes)
    configurations_.push_back({e.index, decoded(e)});
}

// -- inputs -------------------------------------------------------------------

void fsm::tick(steady_time now) {
  now_ = now;
  if (!std::exchange(ticked_, true))
    election_due_ = is_sole_voter() ? now : now + random_wait();
  if (leading())
    lead();
  else if (now >= election_due_ && may_lead())
    campaign(!is_sole_voter(), false);
}

void fsm::step(const message& m) {
  if (m.to != settings_.self || m.from == settings_.self)
    return;
  if (m.term > state_.term && !meet_newer_term(m))
    return;
  if (m.term < state_.term) {
    meet_older_term(m);
    return;
  }
  std::visit([&](const auto& b) { on(m, b); }, m.body);
}

result<log_position> fsm::propose(std::shared_ptr<const std::string> payload) {
  const auto* l = leading();
  if (!l)
    return fail(errc::unavailable, "not the leader");
  if (l->transfer_to.value != 0)
    return fail(errc::unavailable, "leadership is being handed over");
  if (log_.last().index.value - commit_.value >= settings_.uncommitted_max)
    return fail(errc::resource_exhausted, "too many writes in progress");
  append({state_.term, log_.last().index.next(), entry_kind::command,
          std::move(payload)});
  return log_.last();
}

void fsm::written(std::uint64_t number) {
  auto mark = writes_.begin();
  for (; mark != writes_.end() && mark->number <= number; ++mark) {
    durable_ = std::max(durable_, mark->last);
    durable_state_ = mark->state;
  }
  writes_.erase(writes_.begin(), mark);
  while (!held_.empty() && held_.front().after <= number) {
    // What was said in an older term is of no use to anybody.
    if (held_.front().what.term == state_.term)
      out_.messages.push_back(std::move(held_.front().what));
    held_.pop_front();
  }
  // 5.2: the own vote counts once it is on disk, else a crash could let this
  // node vote twice in the term.
  if (auto* c = std::get_if<candidate_state>(&role_);
      c && !c->pre && durable_state_ == state_) {
    c->granted.insert(settings_.self);
    count_votes();
  }
  if (leading())
    advance_commit();
}

result<void> fsm::may_give_up(const log_position& dismissal) const {
  if (leading())
    return fail(errc::failed_precondition, "this node leads the group");
  if (dismissal < log_.last())
    return fail(errc::failed_precondition,
                "the log goes on behind the dismissal");
  return {};
}

bool fsm::calls_back(const message& m, const log_position& floor) {
  if (const auto* v = std::get_if<vote_request>(&m.body))
    return floor <= v->last;
  const auto leads = std::holds_alternative<append_request>(m.body)
                     || std::holds_alternative<heartbeat>(m.body);
  return leads && floor.term <= m.term;
}

void fsm::compacted(log_index upto) {
  MUSTER_INVARIANT(upto <= handed_out_, "only what is applied is compacted");
  log_.compact(upto);
  while (configurations_.size() > 1 && configurations_[1].index <= upto)
    configurations_.erase(configurations_.begin());
}

fsm::snapshot_use fsm::offered(const snapshot_meta& meta, node_id from) {
  if (meta.last.index <= commit_) {
    send_when_durable(from, append_reply{true, commit_, {}});
    return snapshot_use::not_needed;
  }
  return writes_.empty() && out_.entries.empty() && !out_.state
             ? snapshot_use::install
             : snapshot_use::later;
}

void fsm::installed(const snapshot_meta& meta, node_id from) {
  MUSTER_INVARIANT(meta.last.index > commit_,
                   "a snapshot is newer than what is here");
  // What follows it in the own log may stay if that is the same history (paper
  // figure 13).
  if (log_.has(meta.last)) {
    commit_ = handed_out_ = meta.last.index;
    compacted(meta.last.index);
    configurations_.front() = {meta.last.index, meta.members};
  } else {
    log_.reset(meta.last);
    durable_ = commit_ = handed_out_ = meta.last.index;
    configurations_.assign(1, {meta.last.index, meta.members});
  }
  send(from, append_reply{true, meta.last.index, {}});
}

output fsm::take_output() {
  if (leading()) {
    pump();
    tell_commits();
  }
  hand_out_commit();
  if (out_.state || !out_.entries.empty()) {
    out_.write = ++write_number_;
    writes_.push_back({write_number_, log_.last().index, state_});
  }
  return std::exchange(out_, {});
}

// -- outputs ------------------------------------------------------------------

role fsm::current_role() const noexcept {
  if (leading())
    return role::leader;
  return std::holds_alternative<candidate_state>(role_) ? role::candidate
                                                        : role::follower;
}

node_id fsm::leader() const noexcept {
  if (leading())
    return settings_.self;
  const auto* f = std::get_if<follower_state>(&role_);
  return f ? f->leader : node_id{};
}

const configuration& fsm::members_at(log_index index) const {
  auto at = configurations_.begin();
  while (std::next(at) != configurations_.end()
         && std::next(at)->index <= index)
    ++at;
  return at->members;
}

// -- shared parts -------------------------------------------------------------

void fsm::send(node_id to, body what) {
  out_.messages.push_back({settings_.self, to, state_.term, std::move(what)});
}

void fsm::send_when_durable(node_id to, body what) {
  const auto due = out_.state || !out_.entries.empty();
  if (!due && writes_.empty()) {
    send(to, std::move(what));
    return;
  }
  held_.push_back({due ? write_number_ + 1 : writes_.back().number,
                   {settings_.self, to, state_.term, std::move(what)}});
}

void fsm::set_state(term_id term, node_id vote) {
  state_ = {term, vote};
  out_.state = state_;
}

void fsm::append(entry e) {
  if (e.kind == entry_kind::configuration)
    configurations_.push_back({e.index, decoded(e)});
  out_.entries.push_back(e);
  log_.append(std::move(e));
}

void fsm::truncate(log_index from) {
  MUSTER_INVARIANT(from > commit_, "what is committed stays");
  log_.truncate(from);
  std::erase_if(out_.entries,
                [from](const entry& e) { return e.index >= from; });
  while (configurations_.size() > 1 && configurations_.back().index >= from)
    configurations_.pop_back();
  // Writes on their way prove nothing about what comes in their place.
  const log_index kept{from.value - 1};
  durable_ = std::min(durable_, kept);
  for (auto& mark : writes_)
    mark.last = std::min(mark.last, kept);
}

void fsm::set_commit(log_index to) {
  commit_ = std::max(commit_, std::min(to, log_.last().index));
}

void fsm::hand_out_commit() {
  const auto upto = std::min(commit_, durable_);
  if (upto > handed_out_) {
    out_.committed = log_.newest_of(handed_out_, upto);
    out_.commit = handed_out_ = upto;
  }
  release_memory();
}

bool fsm::is_sole_voter() const {
  const auto& m = members();
  return m.voters == std::vector{settings_.self} && m.outgoing.empty();
}

/// Also who is going to be no voter, until that is committed: perhaps nobody
/// else has the entries that the others need (thesis 4.2.2). But nobody below
/// its floor: it lacks committed entries, and its log may be just where it was
/// a voter in days of old.
bool fsm::may_lead() const {
  if (log_.last() < floor_)
    return false;
  for (auto at = configurations_.rbegin(); at != configurations_.rend(); ++at) {
    if (is_voter(at->members, settings_.self))
      return true;
    if (at->index <= commit_)
      break;
  }
  return false;
}

milliseconds fsm::random_wait() {
  const auto base = settings_.election_after;
  const auto more =
      next_random(random_) % static_cast<std::uint64_t>(base.count());
  return base + milliseconds(static_cast<milliseconds::rep>(more));
}

} // namespace muster::raft
