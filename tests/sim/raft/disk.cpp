#include "tests/sim/raft/disk.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "actors/core/base/invariant.hpp"

namespace muster::sim {

namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  return random(a ^ (b * 0x9e3779b97f4a7c15U)).next();
}

} // namespace

void machine::apply(const raft::entry& e) {
  applied = {e.term, e.index};
  hash = mix(hash, mix(e.index.value, e.term.value));
  hash = mix(hash, std::hash<std::string_view>{}(*e.payload));
  if (e.kind != raft::entry_kind::command)
    return;
  std::uint64_t id = 0;
  std::from_chars(e.payload->data(), e.payload->data() + e.payload->size(), id);
  done.push_back(id);
}

raft::stored_group disk::load() const {
  raft::stored_group out;
  out.state = state;
  out.snapshot = snapshot;
  out.last = snapshot.last.index;
  out.last_term = snapshot.last.term;
  out.floor = floor;
  out.given_up = given_up;
  for (const auto& e : log) {
    if (out.terms.empty() || out.terms.back().term != e.term)
      out.terms.push_back({e.term, e.index});
    if (e.kind == raft::entry_kind::configuration)
      out.changes.push_back(e);
    out.last = e.index;
    out.last_term = e.term;
  }
  return out;
}

void disk::begin(std::uint64_t number, const raft::output& out,
                 std::uint64_t done_at) {
  // One after the other, as one log writer does.
  if (!pending_.empty())
    done_at = std::max(done_at, pending_.back().done_at);
  pending_.push_back({number, done_at, out.state, out.entries, {}});
}

void disk::begin_give_up(const raft::log_position& to, std::uint64_t done_at) {
  if (!pending_.empty())
    done_at = std::max(done_at, pending_.back().done_at);
  pending_.push_back({0, done_at, {}, {}, to});
}

void disk::drop_tables() {
  tables = {};
  imported = {};
}

void disk::begin_anew() {
  drop_tables();
  given_up = false;
}

std::uint64_t disk::finish(std::uint64_t now) {
  std::uint64_t done = 0;
  while (!pending_.empty() && pending_.front().done_at <= now) {
    carry_out(pending_.front());
    done = pending_.front().number;
    pending_.pop_front();
  }
  return done;
}

void disk::lose_unsynced(random& chance) {
  while (!pending_.empty() && chance.chance(300'000)) {
    carry_out(pending_.front());
    pending_.pop_front();
  }
  pending_.clear();
}

void disk::carry_out(const write& w) {
  if (w.give_up) {
    snapshot = {};
    log.clear();
    if (state.term < w.give_up->term)
      state = {w.give_up->term, {}};
    floor = std::max(floor, *w.give_up);
    given_up = true;
  }
  if (w.state)
    state = *w.state;
  for (const auto& e : w.entries) {
    MUSTER_INVARIANT(e.index > snapshot.last.index,
                     "no write below a snapshot");
    const auto at = e.index.value - snapshot.last.index.value - 1;
    MUSTER_INVARIANT(at <= log.size(), "no gap in a log");
    log.resize(at);
    log.push_back(e);
  }
}

const raft::entry* disk::find(log_index index) const {
  if (index <= snapshot.last.index)
    return nullptr;
  const auto at = index.value - snapshot.last.index.value - 1;
  return at < log.size() ? &log[at] : nullptr;
}

bool disk::keeps(const raft::log_position& position) const {
  if (position.index <= snapshot.last.index
      || position.index <= tables.applied.index)
    return true;
  const auto* found = find(position.index);
  return found && found->term == position.term;
}

void disk::compact(const raft::snapshot_meta& meta) {
  const auto* last = find(meta.last.index);
  if (last && last->term == meta.last.term)
    log.erase(log.begin(), log.begin() + (last - log.data()) + 1);
  else
    log.clear();
  snapshot = meta;
}

} // namespace muster::sim
