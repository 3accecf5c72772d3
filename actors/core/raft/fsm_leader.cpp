// A leader replicates, commits, answers reads and changes the members (paper
// 5.3, 5.4.2; thesis 3.10, 4, 6.4, 10.2.1).
#include <algorithm>
#include <utility>

#include "actors/core/raft/fsm.hpp"
#include "actors/core/raft/members.hpp"

namespace muster::raft {

namespace {

/// So many election waits a leader keeps its office from who did not take it
/// over: each attempt costs the writes of one.
constexpr int passed_over_waits = 10;

/// As const as the leader is; null without one.
template <class Leader>
auto peer_of(Leader* l, node_id node)
    -> decltype(&l->peers.find(node)->second) {
  if (!l)
    return nullptr;
  const auto found = l->peers.find(node);
  return found == l->peers.end() ? nullptr : &found->second;
}

} // namespace

// -- leadership ---------------------------------------------------------------

void fsm::become_leader() {
  leader_state l;
  l.heartbeat_due = now_ + settings_.heartbeat_every;
  l.quorum_due = now_ + settings_.election_after;
  l.term_start = log_.last().index.next();
  role_ = std::move(l);
  out_.became = role::leader;
  adjust_peers();
  // 8: an entry of the new term makes everything before it committable.
  append({state_.term, log_.last().index.next(), entry_kind::no_op,
          std::make_shared<const std::string>()});
}

progress* fsm::peer(node_id node) {
  return peer_of(leading(), node);
}

const progress* fsm::progress_of(node_id node) const {
  return peer_of(leading(), node);
}

/// Who is new starts where the log ends; the first refusal says where it
/// stands.
void fsm::adjust_peers() {
  auto& l = *leading();
  const auto all = everybody(members());
  std::erase_if(l.peers, [&](const auto& p) { return !all.contains(p.first); });
  for (const auto node : all)
    if (node != settings_.self)
      l.peers.try_emplace(node, progress{.match = {},
                                         .next = log_.last().index.next(),
                                         .told_commit = {},
                                         .heard = now_,
                                         .in_flight = {}});
  if (!l.peers.contains(l.transfer_to))
    l.transfer_to = {};
  // Perhaps those who have not answered are not asked any more.
  confirm_round();
}

void fsm::lead() {
  auto& l = *leading();
  if (now_ >= l.quorum_due) {
    // 6.2: a leader that hears no majority may have been replaced.
    const auto since = l.quorum_due - settings_.election_after;
    const auto reached = majority(members(), [&](node_id n) {
      return n == settings_.self || l.peers.at(n).heard >= since;
    });
    if (!reached) {
      become_follower(state_.term, {});
      return;
    }
    l.quorum_due = now_ + settings_.election_after;
  }
  if (l.transfer_to.value != 0 && now_ >= l.transfer_until) {
    l.peers.at(l.transfer_to).passed_over_until =
        now_ + passed_over_waits * settings_.election_after;
    l.transfer_to = {};
  }
  if (now_ < l.heartbeat_due)
    return;
  l.heartbeat_due = now_ + settings_.heartbeat_every;
  for (auto& [node, p] : l.peers)
    send_heartbeat(node, p);
}

void fsm::send_heartbeat(node_id to, progress& p) {
  p.told_commit = std::min(p.match, commit_);
  send(to, heartbeat{p.told_commit, leading()->read_round});
}

bool fsm::may_take_over(const progress& p) const {
  return now_ - p.heard < settings_.election_after
         && now_ >= p.passed_over_until;
}

result<void> fsm::transfer(node_id to) {
  auto* l = leading();
  if (!l)
    return fail(errc::unavailable, "not the leader");
  const auto* p = peer(to);
  if (!p || !is_voter(members(), to))
    return fail(errc::invalid_argument, "no other voter");
  if (!may_take_over(*p))
    return fail(errc::failed_precondition,
                "it is not heard of, or did not take over before");
  // Asked again, it has no more time: nothing is proposed meanwhile.
  if (l->transfer_to != to)
    l->transfer_until = now_ + settings_.election_after;
  l->transfer_to = to;
  if (p->match == log_.last().index)
    send(to, timeout_now{});
  return {};
}

// -- replication --------------------------------------------------------------

/// Sends what may be sent; all proposals of one output go together.
void fsm::pump() {
  for (auto& [node, p] : leading()->peers)
    while (send_append(node, p, false)) {
    }
}

/// True if there may be more to send.
bool fsm::send_append(node_id to, progress& p, bool even_empty) {
  if (!p.may_send(settings_.in_flight_max))
    return false;
  const auto end = log_.last().index.next();
  if (!log_.term_at(log_index{p.next.value - 1})) {
    p.wait_for_snapshot();
    out_.snapshots.push_back(to);
    return false;
  }
  if (p.next == end) {
    if (even_empty)
      send_entries(to, p, {});
    return false;
  }
  auto entries = log_.in_memory(p.next, end, settings_.append_bytes_max);
  if (!entries) {
    p.fetching = true;
    out_.fetches.push_back({to, p.next, settings_.append_bytes_max});
    return false;
  }
  send_entries(to, p, std::move(*entries));
  return true;
}

void fsm::send_entries(node_id to, progress& p, std::vector<entry> entries) {
  const log_index before{p.next.value - 1};
  const log_index end{before.value + entries.size()};
  if (p.state == progress::mode::probe) {
    p.asked = true;
  } else if (!entries.empty()) {
    p.next = end.next();
    p.in_flight.push_back(end);
  }
  p.told_commit = std::max(p.told_commit, std::min(commit_, end));
  send(to, append_request{
               {*log_.term_at(before), before}, std::move(entries), commit_});
}

void fsm::fetched(const fetch& asked, const std::vector<entry>& entries) {
  auto* known = peer(asked.follower);
  if (!known || !known->fetching)
    return;
  auto& p = *known;
  p.fetching = false;
  if (p.next != asked.from || !p.may_send(settings_.in_flight_max))
    return;
  if (entries.empty()) {
    p.wait_for_snapshot();
    out_.snapshots.push_back(asked.follower);
    return;
  }
  // The log may have changed between the question and the answer.
  const auto is_mine = [this](const entry& e) {
    return log_.has({e.term, e.index});
  };
  if (entries.front().index == asked.from
      && log_.term_at(log_index{asked.from.value - 1})
      && std::ranges::all_of(entries, is_mine))
    send_entries(asked.follower, p, entries);
}

void fsm::fetch_failed(node_id follower) {
  if (auto* p = peer(follower))
    p->fetching = false;
}

void fsm::snapshot_over(node_id follower) {
  auto* p = peer(follower);
  if (!p || p->state != progress::mode::snapshot)
    return;
  p->probe_from(p->match.next());
  // Not before the next sign of life, so that a failure is not repeated at
  // once.
  p->asked = true;
}

void fsm::on(const message& m, const append_reply& r) {
  auto* p = peer(m.from);
  if (!p)
    return;
  p->heard = now_;
  if (r.accepted)
    on_accepted(m.from, *p, r.index);
  else
    on_refused(*p, r);
}

void fsm::on_accepted(node_id from, progress& p, log_index index) {
  if (index > log_.last().index)
    return; // not of this log
  const auto is_news = index > p.match;
  p.match = std::max(p.match, index);
  p.next = std::max(p.next, p.match.next());
  switch (p.state) {
  case progress::mode::probe:
    p.replicate();
    break;
  case progress::mode::replicate:
    while (!p.in_flight.empty() && p.in_flight.front() <= p.match)
      p.in_flight.pop_front();
    break;
  case progress::mode::snapshot:
    if (p.match >= log_.start().index)
      p.probe_from(p.match.next());
    break;
  }
  if (is_news && leading()->transfer_to == from && p.match == log_.last().index)
    send(from, timeout_now{});
  advance_commit();
}

void fsm::on_refused(progress& p, const append_reply& r) {
  if (p.state == progress::mode::replicate) {
    if (r.index > p.match)
      p.probe_from(p.match.next());
    return;
  }
  // In a snapshot, or the refusal of an older question.
  if (p.state == progress::mode::snapshot || r.index.next() != p.next)
    return;
  // It lacks what it acknowledged: it gave its replica up since, and what it
  // had said came late. If it is the refusal that is late, that costs a
  // question.
  if (r.index <= p.match)
    p.match = {};
  const auto agreed = log_.newest_not_above(r.hint).index.next();
  p.probe_from(std::max(p.match.next(), std::min(r.index, agreed)));
}

void fsm::on(const message& m, const heartbeat_reply& r) {
  auto* known = peer(m.from);
  if (!known)
    return;
  auto& p = *known;
  p.heard = now_;
  p.asked = false;
  p.read_round = std::max(p.read_round, r.read_round);
  confirm_round();
  if (p.match >= log_.last().index)
    return;
  // An append may have been lost: an empty one finds out.
  if (p.in_flight.size() >= settings_.in_flight_max)
    p.in_flight.pop_front();
  send_append(m.from, p, true);
}

// -- commit -------------------------------------------------------------------

log_index fsm::has(node_id node) const {
  if (node == settings_.self)
    return durable_;
  const auto* p = progress_of(node);
  return p ? p->match : log_index{};
}

void fsm::advance_commit() {
  const auto upto =
      majority_index(members(), [this](node_id n) { return has(n); });
  // 5.4.2: only entries of the own term are committed by counting; older ones
  // with them.
  if (upto <= commit_ || log_.term_at(upto) != state_.term)
    return;
  commit_ = upto;
  start_round();
  go_on_with_change();
}

bool fsm::commit_in_own_term() const noexcept {
  const auto* l = leading();
  return l && commit_ >= l->term_start;
}

/// Who has the newest commit index learns of it now; the others with the next
/// append or heartbeat.
void fsm::tell_commits() {
  for (auto& [node, p] : leading()->peers)
    if (p.state == progress::mode::replicate
        && p.told_commit < std::min(p.match, commit_))
      send_heartbeat(node, p);
}

void fsm::release_memory() {
  auto upto = handed_out_;
  if (const auto* l = leading();
      l && log_.bytes_in_memory() <= settings_.memory_bytes_max)
    for (const auto& [_, p] : l->peers)
      upto = std::min(upto, p.match);
  log_.release(upto);
}

// -- members ------------------------------------------------------------------

result<log_position> fsm::change_members(const configuration& target) {
  const auto* l = leading();
  // Without a commit of its own term a leader may not know of an older change
  // that is in force (Ongaro, raft-dev, 10 July 2015).
  if (!l || !commit_in_own_term() || l->transfer_to.value != 0)
    return fail(errc::unavailable, "not the leader, or not yet or no longer");
  if (configurations_.back().index > commit_)
    return fail(errc::failed_precondition,
                "a change of the members is under way");
  const auto next = enter_change(members(), target);
  if (!next)
    return std::unexpected(next.error());
  append({state_.term, log_.last().index.next(), entry_kind::configuration,
          encode(*next)});
  adjust_peers();
  return log_.last();
}

result<log_position> fsm::dismissal(node_id node) const {
  // A commit of the own term: then no log of an older term goes beyond it.
  if (!commit_in_own_term())
    return fail(errc::unavailable, "not the leader, or not yet");
  if (configurations_.back().index > commit_)
    return fail(errc::failed_precondition,
                "a change of the members is under way");
  if (everybody(members()).contains(node))
    return fail(errc::failed_precondition, "a member is not dismissed");
  return log_position{state_.term, commit_};
}

void fsm::go_on_with_change() {
  if (configurations_.back().index > commit_)
    return;
  if (is_joint(members())) {
    append({state_.term, log_.last().index.next(), entry_kind::configuration,
            encode(leave_joint(members()))});
    adjust_peers();
    // The leaving configuration may have its majority already.
    advance_commit();
  } else if (!is_voter(members(), settings_.self)) {
    // 4.2.2: the others learn of the commit, then this node leaves.
    tell_commits();
    become_follower(state_.term, {});
  }
}

// -- reads --------------------------------------------------------------------

result<void> fsm::read_index(std::uint64_t context) {
  auto* l = leading();
  if (!l)
    return fail(errc::unavailable, "not the leader");
  l->waiting.push_back(context);
  start_round();
  return {};
}

/// One round at a time serves all reads that came before it.
void fsm::start_round() {
  auto* l = leading();
  // 6.4: a leader knows the commit index once it has committed in its term.
  if (!l || l->round_runs || l->waiting.empty() || !commit_in_own_term())
    return;
  l->asked = std::exchange(l->waiting, {});
  l->round_runs = true;
  l->round_commit = commit_;
  ++l->read_round;
  for (auto& [node, p] : l->peers)
    if (is_voter(members(), node))
      send_heartbeat(node, p);
  confirm_round();
}

void fsm::confirm_round() {
  auto* l = leading();
  if (!l || !l->round_runs)
    return;
  const auto confirmed = majority(members(), [&](node_id n) {
    return n == settings_.self || l->peers.at(n).read_round >= l->read_round;
  });
  if (!confirmed)
    return;
  for (const auto context : l->asked)
    out_.reads.push_back({context, l->round_commit});
  l->asked.clear();
  l->round_runs = false;
  start_round();
}

} // namespace muster::raft
