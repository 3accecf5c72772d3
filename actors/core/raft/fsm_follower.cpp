// A follower takes what its leader says (paper 5.3, figure 2).
#include <algorithm>

#include "actors/core/base/invariant.hpp"
#include "actors/core/raft/fsm.hpp"
#include "actors/core/raft/members.hpp"

namespace muster::raft {

namespace {

/// Whether a leader of that term could have sent this; the wire is not trusted
/// to the letter.
bool is_well_formed(const append_request& a, term_id term) {
  auto before = a.previous;
  for (const auto& e : a.entries) {
    if (e.index != before.index.next() || e.term < before.term || e.term > term
        || !e.payload)
      return false;
    if (e.kind == entry_kind::configuration
        && !decode_configuration(*e.payload))
      return false;
    before = {e.term, e.index};
  }
  return true;
}

} // namespace

/// False if this node leads in the term itself.
bool fsm::follow(node_id leader) {
  if (leading())
    return false;
  if (auto* f = std::get_if<follower_state>(&role_); !f)
    become_follower(state_.term, leader);
  else if (f->leader != leader) {
    f->leader = leader;
    out_.became = role::follower;
  }
  heard_leader_ = now_;
  election_due_ = now_ + random_wait();
  return true;
}

void fsm::take(const std::vector<entry>& entries) {
  for (const auto& e : entries) {
    if (log_.has({e.term, e.index}))
      continue;
    if (e.index <= log_.last().index)
      truncate(e.index);
    append(e);
  }
}

void fsm::on(const message& m, const append_request& a) {
  if (!is_well_formed(a, m.term) || !follow(m.from))
    return;
  const auto end = log_index{a.previous.index.value + a.entries.size()};
  // All logs agree on what is committed.
  if (end <= commit_) {
    send_when_durable(m.from, append_reply{true, commit_, {}});
    return;
  }
  if (a.previous.index >= commit_ && !log_.has(a.previous)) {
    send(m.from, append_reply{false, a.previous.index,
                              log_.newest_not_above(a.previous)});
    return;
  }
  // What is skipped ends with the entry that is committed here, or no leader
  // sent this.
  const auto known = commit_.value - std::min(commit_, a.previous.index).value;
  if (known > 0 && a.entries[known - 1].term != log_.term_at(commit_))
    return;
  take({a.entries.begin() + static_cast<std::ptrdiff_t>(known),
        a.entries.end()});
  set_commit(std::min(a.commit, end));
  const append_reply accepted{true, end, {}};
  if (end <= durable_ && durable_state_ == state_)
    send(m.from, accepted);
  else
    send_when_durable(m.from, accepted);
}

void fsm::on(const message& m, const heartbeat& h) {
  if (!follow(m.from))
    return;
  // Not beyond what this node acknowledged to this leader.
  set_commit(h.commit);
  send(m.from, heartbeat_reply{h.read_round});
}

} // namespace muster::raft
