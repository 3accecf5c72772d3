// Elections: terms, votes, pre-votes (paper 5.2, 5.4.1; thesis 3.10, 4.2.3,
// 9.6).
#include "actors/core/raft/fsm.hpp"
#include "actors/core/raft/members.hpp"

namespace muster::raft {

void fsm::become_follower(term_id term, node_id leader) {
  if (term > state_.term)
    set_state(term, {});
  role_ = follower_state{leader};
  election_due_ = now_ + random_wait();
  out_.became = role::follower;
}

void fsm::campaign(bool pre, bool forced) {
  role_ = candidate_state{pre, {}, {}};
  election_due_ = now_ + random_wait();
  out_.became = role::candidate;
  if (!pre)
    set_state(state_.term.next(), settings_.self);
  const vote_request ask{log_.last(), pre, forced};
  for (const auto node : everybody(members())) {
    if (node == settings_.self || !is_voter(members(), node))
      continue;
    if (!pre) {
      send_when_durable(node, ask);
      continue;
    }
    send(node, ask);
    out_.messages.back().term = state_.term.next();
  }
  if (!pre)
    return; // the own vote counts once it is durable
  std::get<candidate_state>(role_).granted.insert(settings_.self);
  count_votes();
}

void fsm::count_votes() {
  const auto& c = std::get<candidate_state>(role_);
  if (majority(members(), [&](node_id n) { return c.granted.contains(n); })) {
    if (c.pre)
      campaign(false, false);
    else
      become_leader();
  } else if (!majority(members(),
                       [&](node_id n) { return !c.refused.contains(n); })) {
    become_follower(state_.term, {});
  }
}

bool fsm::hears_leader() const {
  if (leading())
    return true;
  return leader().value != 0 && now_ - heard_leader_ < settings_.election_after;
}

/// False if the message ends here.
bool fsm::meet_newer_term(const message& m) {
  if (const auto* v = std::get_if<vote_request>(&m.body)) {
    if (v->pre) {
      on(m, *v);
      return false;
    }
    // Whoever was cut off, or removed, does not disturb a group that has a
    // leader (thesis 4.2.3).
    if (!v->forced && hears_leader())
      return false;
  }
  if (const auto* r = std::get_if<vote_reply>(&m.body);
      r && r->pre && r->granted) {
    on(m, *r);
    return false;
  }
  const auto leads = std::holds_alternative<append_request>(m.body)
                     || std::holds_alternative<heartbeat>(m.body);
  become_follower(m.term, leads ? m.from : node_id{});
  return true;
}

void fsm::meet_older_term(const message& m) {
  // A leader of an older term learns that it is none; a candidate likewise.
  if (const auto* a = std::get_if<append_request>(&m.body))
    send(m.from, append_reply{false, a->previous.index, log_.start()});
  else if (std::holds_alternative<heartbeat>(m.body))
    send(m.from, heartbeat_reply{});
  else if (const auto* v = std::get_if<vote_request>(&m.body))
    send(m.from, vote_reply{false, v->pre});
}

void fsm::on(const message& m, const vote_request& v) {
  const auto up_to_date = vouched() <= v.last;
  if (v.pre) {
    const auto granted = up_to_date && m.term > state_.term && !hears_leader();
    send(m.from, vote_reply{granted, true});
    if (granted)
      out_.messages.back().term = m.term;
    return;
  }
  const auto free = state_.vote.value == 0 || state_.vote == m.from;
  if (!up_to_date || !free || leading()) {
    send(m.from, vote_reply{false, false});
    return;
  }
  if (state_.vote != m.from)
    set_state(state_.term, m.from);
  // Gives the candidate time to win.
  election_due_ = now_ + random_wait();
  send_when_durable(m.from, vote_reply{true, false});
}

void fsm::on(const message& m, const vote_reply& v) {
  auto* c = std::get_if<candidate_state>(&role_);
  if (!c || c->pre != v.pre
      || (v.pre && v.granted && m.term != state_.term.next()))
    return;
  (v.granted ? c->granted : c->refused).insert(m.from);
  count_votes();
}

void fsm::on(const message&, const timeout_now&) {
  if (!leading() && may_lead())
    campaign(false, true);
}

} // namespace muster::raft
