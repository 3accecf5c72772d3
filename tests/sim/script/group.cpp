#include "tests/sim/script/group.hpp"

#include <algorithm>
#include <memory>

namespace muster::sim::script {

namespace {

constexpr std::uint64_t step_ms = 10;
/// Longer than any wait for an election.
constexpr std::uint64_t patience_ms = 3'000;
/// A story that needs more goes round in circles.
constexpr std::size_t deliveries_max = 10'000;

std::string name(node_id id) {
  return std::to_string(id.value);
}

} // namespace

// -- members and their disks --------------------------------------------------

void group::add(const raft::fsm::settings& s) {
  auto& n = nodes_[s.self];
  n.settings = s;
}

group::node& group::at(node_id id) {
  const auto found = nodes_.find(id);
  if (found == nodes_.end())
    throw failure{"there is no node " + name(id)};
  return found->second;
}

group::node& group::running(node_id id) {
  auto& n = at(id);
  if (!n.core)
    throw failure{"node " + name(id) + " does not run"};
  return n;
}

disk& group::disk_of(node_id id) {
  return at(id).store;
}

std::vector<node_id> group::ids() const {
  std::vector<node_id> out;
  for (const auto& [id, _] : nodes_)
    out.push_back(id);
  return out;
}

void group::start(node_id id) {
  auto& n = at(id);
  if (n.store.given_up) {
    n.gone = true;
    return;
  }
  n.applied = n.store.tables.applied;
  n.core.emplace(n.settings, n.store.load(), n.applied.index);
  n.newest_write = 0;
  n.core->tick(steady_time{milliseconds(n.now_ms)});
  drain(n);
}

void group::crash(node_id id) {
  auto& n = at(id).gone ? at(id) : running(id);
  disk kept;
  kept.state = n.store.state;
  kept.snapshot = n.store.snapshot;
  kept.log = n.store.log;
  kept.tables = n.store.tables;
  kept.floor = n.store.floor;
  kept.given_up = n.store.given_up;
  n.store = std::move(kept);
  n.gone = false;
  forget(n);
}

void group::forget(node& n) {
  n.core.reset();
  n.writing.clear();
  n.installing.reset();
  n.fetches.clear();
}

void group::set_slow(node_id id, bool slow) {
  if (!slow && runs(id))
    sync(id, at(id).writing.size());
  at(id).slow = slow;
}

void group::sync(node_id id, std::uint64_t writes) {
  auto& n = running(id);
  for (; writes > 0 && !n.writing.empty(); --writes) {
    const auto number = n.writing.front();
    n.writing.pop_front();
    n.store.finish(number);
    say(id, "has write " + std::to_string(number) + " on disk");
    n.core->written(number);
    drain(n);
    install(n);
  }
}

// -- inputs -------------------------------------------------------------------

void group::tick(node_id id, std::uint64_t ms) {
  auto& n = running(id);
  n.now_ms += ms;
  n.core->tick(steady_time{milliseconds(n.now_ms)});
  drain(n);
}

void group::campaign(node_id id) {
  auto& n = running(id);
  for (std::uint64_t passed = 0; passed < patience_ms; passed += step_ms) {
    const auto before = lines_.size();
    tick(id, step_ms);
    if (n.core->current_role() == raft::role::candidate
        && lines_.size() != before)
      return;
  }
}

void group::propose(node_id id, const std::vector<std::string>& commands) {
  auto& n = running(id);
  for (const auto& c : commands) {
    const auto made = n.core->propose(std::make_shared<const std::string>(c));
    say(id, made ? "takes " + show(*made) : "refuses: " + made.error().message);
  }
  drain(n);
}

void group::change(node_id id, const raft::configuration& target) {
  auto& n = running(id);
  const auto made = n.core->change_members(target);
  say(id, made ? "takes " + show(*made) : "refuses: " + made.error().message);
  drain(n);
}

void group::transfer(node_id id, node_id to) {
  auto& n = running(id);
  if (const auto done = n.core->transfer(to); !done)
    say(id, "refuses: " + done.error().message);
  drain(n);
}

void group::read(node_id id, std::uint64_t context) {
  auto& n = running(id);
  if (const auto asked = n.core->read_index(context); !asked)
    say(id, "refuses: " + asked.error().message);
  drain(n);
}

void group::compact(node_id id, log_index upto) {
  auto& n = running(id);
  const auto term = n.core->term_at(upto);
  if (upto > n.applied.index || !term)
    throw failure{"only what is applied can be compacted"};
  n.store.tables.applied = n.applied;
  n.store.compact({{*term, upto}, n.core->members_at(upto)});
  n.core->compacted(upto);
  drain(n);
}

void group::send_snapshot(node_id id, node_id to) {
  auto& n = running(id);
  post(snapshot_letter{id,
                       to,
                       n.core->term(),
                       {n.applied, n.core->members_at(n.applied.index)}});
}

void group::snapshot_over(node_id id, node_id to) {
  auto& n = running(id);
  n.core->snapshot_over(to);
  drain(n);
}

void group::dismiss(node_id id, node_id to) {
  auto& n = running(id);
  if (const auto at = n.core->dismissal(to))
    post(dismissal_letter{id, to, *at});
  else
    say(id, "refuses: " + at.error().message);
}

void group::answer_fetch(node_id id, node_id to, bool nothing) {
  auto& n = running(id);
  const auto asked = std::ranges::find(n.fetches, to, &raft::fetch::follower);
  if (asked == n.fetches.end())
    throw failure{"nothing is to be read for " + name(to)};
  const auto f = *asked;
  n.fetches.erase(asked);
  std::vector<raft::entry> found;
  std::size_t bytes = 0;
  for (auto i = f.from; !nothing && bytes < f.bytes_max; i = i.next()) {
    const auto* e = n.store.find(i);
    if (!e)
      break;
    bytes += sizeof(raft::entry) + e->payload->size();
    found.push_back(*e);
  }
  n.core->fetched(f, found);
  drain(n);
}

// -- effects ------------------------------------------------------------------

void group::say(node_id id, const std::string& what) {
  lines_.push_back(name(id) + ' ' + what);
}

std::string group::describe(const raft::fsm& core) {
  const auto term = 't' + std::to_string(core.term().value);
  switch (core.current_role()) {
  case raft::role::leader:
    return "leads " + term;
  case raft::role::candidate:
    return "stands in " + term;
  case raft::role::follower:
    break;
  }
  return "follows "
         + (core.leader().value == 0 ? "nobody" : name(core.leader())) + " in "
         + term;
}

void group::drain(node& n) {
  for (auto out = n.core->take_output(); !out.empty();
       out = n.core->take_output())
    carry_out(n, out);
}

void group::carry_out(node& n, raft::output& out) {
  const auto id = n.settings.self;
  if (out.became) {
    say(id, describe(*n.core));
    // Election safety: one leader a term (paper figure 3).
    if (n.core->current_role() == raft::role::leader
        && leaders_.try_emplace(n.core->term(), id).first->second != id)
      throw failure{"two leaders in term "
                    + std::to_string(n.core->term().value)};
  }
  if (out.write != 0)
    write(n, out);
  for (auto& m : out.messages)
    post(std::move(m));
  if (out.commit)
    apply(n, out);
  for (const auto& r : out.reads)
    say(id, "answers read " + std::to_string(r.context) + " at "
                + std::to_string(r.index.value));
  for (const auto& f : out.fetches) {
    say(id, "reads its log from " + std::to_string(f.from.value) + " for "
                + name(f.follower));
    n.fetches.push_back(f);
  }
  for (const auto to : out.snapshots)
    say(id, "needs a snapshot for " + name(to));
}

void group::write(node& n, const raft::output& out) {
  std::string what;
  if (out.state) {
    what = " t" + std::to_string(out.state->term.value);
    if (out.state->vote.value != 0)
      what += " vote " + name(out.state->vote);
  }
  if (!out.entries.empty())
    what += (out.state ? ", " : " ") + show(out.entries);
  n.newest_write = out.write;
  n.store.begin(out.write, out, out.write);
  if (n.slow) {
    say(n.settings.self,
        "begins write " + std::to_string(out.write) + ':' + what);
    n.writing.push_back(out.write);
    return;
  }
  say(n.settings.self, "stores" + what);
  n.store.finish(out.write);
  n.core->written(out.write);
}

void group::apply(node& n, const raft::output& out) {
  std::string what;
  const auto first =
      out.committed.empty() ? out.commit->next() : out.committed.front().index;
  for (auto i = n.applied.index.next(); i < first; i = i.next()) {
    const auto* stored = n.store.find(i);
    if (!stored)
      throw failure{"a committed entry is not in the log store"};
    apply(n, *stored);
    what += " disk:" + show(*stored);
  }
  for (const auto& e : out.committed) {
    apply(n, e);
    what += ' ' + show(e);
  }
  if (n.applied.index != *out.commit)
    throw failure{"what is committed was not handed out"};
  say(n.settings.self, "applies" + what);
}

void group::apply(node& n, const raft::entry& e) {
  if (e.index != n.applied.index.next())
    throw failure{"an entry is applied out of order"};
  n.applied = {e.term, e.index};
  if (!n.store.keeps(n.applied))
    throw failure{"an entry is applied that is not durable here"};
  // State machine safety (paper figure 3).
  const auto& known = history_.try_emplace(e.index, e).first->second;
  if (show(known) != show(e))
    throw failure{name(n.settings.self) + " applies " + show(e)
                  + ", another one applied " + show(known)};
}

void group::install(node& n) {
  if (!n.installing)
    return;
  const auto id = n.settings.self;
  const auto meta = n.installing->meta;
  const auto from = n.installing->from;
  const auto use = n.core->offered(meta, from);
  if (use == raft::fsm::snapshot_use::later) {
    say(id, "puts the snapshot off: a write is on its way");
    return;
  }
  n.installing.reset();
  if (use == raft::fsm::snapshot_use::install) {
    say(id, "installs " + show(meta.last) + show(meta.members));
    n.applied = meta.last;
    n.store.tables.applied = meta.last;
    n.store.compact(meta);
    n.core->installed(meta, from);
  } else {
    say(id, "does not need the snapshot");
  }
  drain(n);
}

// -- the post -----------------------------------------------------------------

std::string group::name_of(const letter& l) {
  if (const auto* m = std::get_if<raft::message>(&l))
    return kind_of(*m);
  return std::holds_alternative<snapshot_letter>(l) ? "snapshot" : "dismissal";
}

std::string group::line_of(const letter& l) {
  if (const auto* m = std::get_if<raft::message>(&l))
    return show(*m);
  const auto way =
      std::visit([](const auto& m) { return name(m.from) + "->" + name(m.to); },
                 l);
  if (const auto* d = std::get_if<dismissal_letter>(&l))
    return way + " dismissal at " + show(d->at);
  const auto& s = std::get<snapshot_letter>(l);
  return way + " t" + std::to_string(s.term.value) + " snapshot "
         + show(s.meta.last) + show(s.meta.members);
}

void group::post(letter l) {
  const auto text = line_of(l);
  const auto lost = std::visit(
      [this](const auto& m) {
        return std::ranges::any_of(
            cut_, [&](const link& c) { return c.fits(m.from, m.to); });
      },
      l);
  lines_.push_back(text + (lost ? " (lost)" : ""));
  if (!lost)
    post_.push_back(std::move(l));
}

bool group::is_held(const letter& l) const {
  return std::visit(
      [this](const auto& m) {
        return std::ranges::any_of(
            held_, [&](const link& h) { return h.fits(m.from, m.to); });
      },
      l);
}

void group::receive(const letter& l) {
  const auto from = std::visit([](const auto& m) { return m.from; }, l);
  const auto to = std::visit([](const auto& m) { return m.to; }, l);
  const auto what = name(from) + ": " + name_of(l);
  auto& n = at(to);
  if (n.gone && !is_called_back(n, l)) {
    say(to, "is gone and ignores " + what);
    return;
  }
  if (!n.core) {
    say(to, "is down and misses " + what);
    return;
  }
  say(to, "hears " + what);
  std::visit([&](const auto& m) { receive(n, m); }, l);
}

void group::receive(node& n, const raft::message& m) {
  n.core->step(m);
  drain(n);
}

void group::receive(node& n, const snapshot_letter& s) {
  if (s.term != n.core->term()) {
    say(s.to, "ignores a snapshot of another term");
    return;
  }
  n.installing = s;
  install(n);
}

void group::receive(node& n, const dismissal_letter& d) {
  if (const auto may = n.core->may_give_up(d.at); !may) {
    say(d.to, "stays: " + may.error().message);
    return;
  }
  n.store.begin_give_up(d.at, n.newest_write);
  n.store.finish(n.newest_write);
  forget(n);
  n.gone = true;
  n.applied = {};
  say(d.to, "gives its replica up");
}

bool group::is_called_back(node& n, const letter& l) {
  const auto* m = std::get_if<raft::message>(&l);
  if (!m || !raft::fsm::calls_back(*m, n.store.floor))
    return false;
  const auto id = n.settings.self;
  say(id, "begins anew");
  n.store.begin_anew();
  n.gone = false;
  start(id);
  return true;
}

void group::deliver_all() {
  for (std::size_t done = 0;; ++done) {
    const auto next = std::ranges::find_if(
        post_, [this](const letter& l) { return !is_held(l); });
    if (next == post_.end())
      return;
    if (done == deliveries_max)
      throw failure{"messages without end"};
    const auto l = std::move(*next);
    post_.erase(next);
    receive(l);
  }
}

std::vector<std::size_t> group::chosen(const choice& c) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < post_.size(); ++i) {
    const auto kind = name_of(post_[i]);
    const auto fits = std::visit(
        [&](const auto& l) { return c.way.fits(l.from, l.to); }, post_[i]);
    if (fits && (c.kind.empty() || c.kind == kind))
      found.push_back(i);
  }
  if (found.empty())
    throw failure{"there is no such message on its way"};
  if (c.one == which::first)
    found.resize(1);
  else if (c.one == which::last)
    found.erase(found.begin(), found.end() - 1);
  return found;
}

void group::deliver(const choice& c) {
  std::vector<letter> taken;
  for (const auto i : chosen(c))
    taken.push_back(post_[i]);
  drop(c);
  for (const auto& l : taken)
    receive(l);
}

void group::drop(const choice& c) {
  auto found = chosen(c);
  for (auto i = found.rbegin(); i != found.rend(); ++i)
    post_.erase(post_.begin() + static_cast<std::ptrdiff_t>(*i));
}

void group::duplicate(const choice& c) {
  for (const auto i : chosen(c))
    post_.push_back(post_[i]);
}

void group::reverse(const choice& c) {
  const auto found = chosen(c);
  for (std::size_t i = 0; i < found.size() / 2; ++i)
    std::swap(post_[found[i]], post_[found[found.size() - 1 - i]]);
}

void group::forge(const raft::message& m) {
  post(m);
}

// -- looking ------------------------------------------------------------------

void group::show_state(node_id id) {
  const auto& n = at(id);
  if (!n.core) {
    say(id, n.gone ? "is gone, term " + std::to_string(n.store.state.term.value)
                         + ", floor " + show(n.store.floor)
                   : "is down");
    return;
  }
  const auto& c = *n.core;
  say(id, describe(c) + ", last " + show(c.last()) + ", commit "
              + std::to_string(c.commit().value) + ", applied "
              + std::to_string(n.applied.index.value) + ", members "
              + show(c.members()));
  for (const auto& [other, _] : nodes_) {
    const auto* p = c.progress_of(other);
    if (!p)
      continue;
    using mode = raft::progress::mode;
    const auto* state = p->state == mode::probe       ? "probes "
                        : p->state == mode::replicate ? "replicates to "
                                                      : "has a snapshot for ";
    say(id, state + name(other) + ": has " + std::to_string(p->match.value)
                + ", next " + std::to_string(p->next.value) + ", on their way "
                + std::to_string(p->in_flight.size())
                + (p->asked ? ", asked" : "")
                + (p->fetching ? ", reading" : ""));
  }
}

void group::show_log(node_id id) {
  const auto& c = *running(id).core;
  std::string terms;
  auto i = c.last().index;
  for (; const auto term = c.term_at(i); i = log_index{i.value - 1}) {
    if (i.value == 0 || i == at(id).store.snapshot.last.index)
      break;
    terms = ' ' + std::to_string(term->value) + terms;
  }
  say(id, "log after " + std::to_string(i.value)
              + " has terms:" + (terms.empty() ? " none" : terms));
}

} // namespace muster::sim::script
