#include "tests/sim/raft/world.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <sstream>

#include "actors/core/base/invariant.hpp"
#include "actors/core/raft/members.hpp"
#include "tests/sim/raft/times.hpp"

namespace muster::sim {

namespace {

/// How long a healed group may take until all agree.
constexpr std::uint64_t heal_ms_max = 60'000;
constexpr std::uint64_t snapshot_patience_ms = 3'000;
/// How long a leader may hear no majority: it looks once in an election time,
/// so nearly two of them, by a clock that is slow by a fifth; and some ticks.
constexpr std::uint64_t unheard_ms_max = 2'700;
/// On their way at once. Far more than seven members ever need, even after a
/// pause; a question that is asked again at each answer gets there at once.
constexpr std::size_t letters_max = 1'000;
/// What waits in a clogged link; the rest is lost.
constexpr std::size_t clogged_max = 10;
/// How long a healed group has to keep its leader: longer than anybody waits
/// before it wants to lead.
constexpr std::uint64_t calm_ms = 3'000;

} // namespace

world::world(std::uint64_t seed, const weather& w)
    : weather_(w), chance_(seed), checker_(first_members(node_id{1})) {
  report_.seed = seed;
  if (w.watched)
    outages_.emplace();
  for (std::uint64_t i = 1; i <= w.nodes; ++i)
    ids_.emplace_back(i);
  for (const auto id : ids_) {
    auto& n = nodes_[id];
    n.id = id;
    n.clock = 1000 - w.drift + chance_.between(0, 2 * w.drift);
    disks_[id];
  }
  for (auto& [_, n] : nodes_)
    start(n);
}

/// Who was not there from the beginning is told nothing.
raft::configuration world::first_members(node_id of) const {
  raft::configuration first;
  for (std::uint64_t i = 1; i <= weather_.voters && of.value <= weather_.voters;
       ++i)
    first.voters.emplace_back(i);
  return first;
}

void world::start(node& n) {
  auto& d = disks_.at(n.id);
  if (d.given_up) {
    d.drop_tables();
    n.gone = true;
    return;
  }
  // A crash between the import of a snapshot and the compaction to it.
  if (d.imported.last == d.tables.applied
      && d.imported.last.index > d.snapshot.last.index)
    d.compact(d.imported);
  raft::fsm::settings s;
  s.self = n.id;
  s.members = first_members(n.id);
  s.heartbeat_every = heartbeat_every;
  s.election_after = election_after;
  s.seed = report_.seed * 1'000'003 + ++seeds_of_nodes_;
  // Small, so that the bounds are met.
  s.append_bytes_max = 400;
  s.in_flight_max = 4;
  s.memory_bytes_max = 2'000;
  n.tables = d.tables;
  const auto stored = d.load();
  checker_.starts(n.id, stored,
                  stored.floor == raft::log_position{} ? s.members
                                                       : raft::configuration{});
  n.core.emplace(s, stored, d.tables.applied.index);
  n.commit_seen = n.core->commit();
  n.tick_at = now_;
  trace(event::started, n.id.value);
}

void world::crash(node& n) {
  disks_.at(n.id).lose_unsynced(chance_);
  forget(n);
  n.gone = false;
  n.down_until = now_ + chance_.between(0, 5'000);
  ++report_.crashes;
  trace(event::crashed, n.id.value);
}

void world::forget(node& n) {
  n.core.reset();
  n.clients.clear();
  n.reads.clear();
  n.installing.reset();
  n.sending.clear();
  n.readings.clear();
}

void world::trace(event what, std::uint64_t detail) {
  const auto kind = static_cast<std::uint64_t>(what) << 16U;
  report_.trace =
      random(report_.trace ^ (now_ << 32U) ^ kind ^ detail).next();
}

// -- time ---------------------------------------------------------------------

void world::step() {
  now_ += step_ms;
  ++report_.steps;
  deliver();
  for (auto& [_, n] : nodes_) {
    if (!n.core && !n.gone && now_ >= n.down_until)
      start(n);
    if (runs(n))
      live(n);
    else if (n.gone && now_ >= n.paused_until)
      live_without(n);
  }
}

void world::unclog() {
  for (auto at = clogged_.begin(); at != clogged_.end();) {
    const auto [from, to] = at->first;
    if (links_.is(links::fault::clogged, from, to)) {
      ++at;
      continue;
    }
    for (auto& l : at->second)
      send(from, to, std::move(l), 0);
    at = clogged_.erase(at);
  }
}

void world::deliver() {
  unclog();
  std::vector<letter> due;
  const auto end = post_.upper_bound(now_);
  for (auto at = post_.begin(); at != end; ++at)
    due.push_back(std::move(at->second));
  post_.erase(post_.begin(), end);
  for (auto& l : due) {
    const auto to = std::visit([](const auto& m) { return m.to; }, l);
    auto& n = nodes_.at(to);
    if (!n.core && !n.gone)
      continue;
    if (now_ < n.paused_until)
      post_.emplace(n.paused_until, std::move(l));
    else if (n.gone)
      hear(n, l);
    else
      receive(n, l);
  }
}

void world::receive(node& n, const letter& l) {
  if (const auto* m = std::get_if<raft::message>(&l)) {
    trace(event::delivered,
          m->from.value * 64 + m->to.value * 8 + m->body.index());
    n.heard[m->from] = now_;
    n.core->step(*m);
  } else if (const auto* s = std::get_if<snapshot_message>(&l)) {
    receive(n, *s);
  } else {
    receive(n, std::get<dismissal_message>(l));
  }
  if (n.core)
    drain(n);
}

void world::receive(node& n, const snapshot_message& s) {
  if (s.term != n.core->term())
    return;
  n.installing = s;
  // Now and then it takes so long to look through that others have led
  // meanwhile.
  n.install_at = now_;
  if (chance_.chance(200'000))
    n.install_at += chance_.between(0, 4'000);
}

void world::live(node& n) {
  if (const auto done = disks_.at(n.id).finish(now_)) {
    n.core->written(done);
    drain(n);
  }
  answer_readings(n);
  install(n);
  if (!n.core)
    return;
  for (auto at = n.sending.begin(); at != n.sending.end();) {
    if (now_ >= at->second) {
      n.core->snapshot_over(at->first);
      at = n.sending.erase(at);
    } else {
      ++at;
    }
  }
  if (now_ >= n.tick_at) {
    n.tick_at = now_ + tick_ms;
    const auto local = now_ * n.clock / 1000;
    n.core->tick(steady_time{milliseconds(local)});
    check_quorum(n);
  }
  drain(n);
}

/// Thesis 6.2, so that clients of a leader that is cut off look for another.
void world::check_quorum(const node& n) const {
  if (n.core->current_role() != raft::role::leader
      || now_ < n.leads_since + unheard_ms_max)
    return;
  const auto heard = [&](node_id other) {
    const auto at = n.heard.find(other);
    return other == n.id
           || (at != n.heard.end() && now_ < at->second + unheard_ms_max);
  };
  if (!raft::majority(n.core->members(), heard))
    throw violation{"a leader that hears no majority goes on to lead"};
}

void world::install(node& n) {
  if (!n.installing || now_ < n.install_at)
    return;
  const auto use = n.core->offered(n.installing->meta, n.installing->from);
  if (use == raft::fsm::snapshot_use::not_needed)
    n.installing.reset();
  if (use != raft::fsm::snapshot_use::install)
    return;
  if (n.installing->meta.last.index <= n.commit_seen)
    throw violation{"a snapshot is installed over what is newer"};
  const auto m = std::move(*n.installing);
  n.installing.reset();
  auto& d = disks_.at(n.id);
  d.tables = m.state;
  d.imported = m.meta;
  if (chance_.chance(weather_.crash * 100)) {
    crash(n);
    return;
  }
  d.compact(m.meta);
  n.tables = m.state;
  n.core->installed(m.meta, m.from);
  checker_.installs(n.id, *n.core, m.meta, !d.log.empty());
  n.commit_seen = n.core->commit();
  ++report_.snapshots;
  drain(n);
}

// -- effects ------------------------------------------------------------------

void world::drain(node& n) {
  for (auto out = n.core->take_output(); !out.empty();
       out = n.core->take_output())
    carry_out(n, out);
  if (n.core->commit() < n.commit_seen)
    throw violation{"the commit index moved back"};
  if (n.core->commit() > n.commit_seen) {
    n.commit_seen = n.core->commit();
    checker_.commits(n.id, *n.core, disks_);
  }
}

void world::carry_out(node& n, raft::output& out) {
  if (out.became == raft::role::leader
      && n.core->current_role() == raft::role::leader) {
    checker_.leads(n.id, *n.core, disks_);
    n.leads_since = now_;
    ++report_.leaders;
    if (outages_)
      outages_->elected(now_);
    trace(event::led, n.id.value);
  }
  if (out.state)
    checker_.persists(n.id, *out.state);
  checker_.appends(n.id, *n.core, out.entries);
  if (std::ranges::any_of(out.entries, [](const raft::entry& e) {
        return e.kind == raft::entry_kind::configuration;
      }))
    n.leads_since = now_; // the new ones are waited for
  if (out.write != 0)
    disks_.at(n.id).begin(out.write, out,
                          now_ + chance_.between(0, weather_.sync_ms));
  for (auto& m : out.messages) {
    checker::says(m, *n.core, disks_.at(n.id));
    send(m.from, m.to, m, 0);
  }
  if (out.commit)
    apply(n, out);
  for (const auto& r : out.reads)
    read_done(n, r);
  for (const auto& f : out.fetches)
    read_log(n, f);
  for (const auto to : out.snapshots)
    send_snapshot(n, to);
}

void world::apply(node& n, const raft::output& out) {
  const auto first =
      out.committed.empty() ? out.commit->next() : out.committed.front().index;
  for (auto i = n.tables.applied.index.next(); i < first; i = i.next()) {
    const auto* stored = disks_.at(n.id).find(i);
    if (!stored)
      throw violation{"a committed entry is not in the log store"};
    apply(n, *stored);
  }
  for (const auto& e : out.committed)
    if (e.index > n.tables.applied.index)
      apply(n, e);
  if (n.tables.applied.index != *out.commit)
    throw violation{"what is committed was not handed out"};
  if (!disks_.at(n.id).keeps(n.tables.applied))
    throw violation{"an entry is applied that is not on the own disk"};
}

void world::apply(node& n, const raft::entry& e) {
  if (e.index != n.tables.applied.index.next())
    throw violation{"an entry is applied out of order"};
  n.tables.apply(e);
  checker_.applies(n.id, e, n.tables);
  trace(event::applied, n.id.value * 1'000'000 + e.index.value);
  const auto client = n.clients.find(e.index);
  if (client == n.clients.end())
    return;
  const auto& [term, id, asked_at] = client->second;
  if (term == e.term) {
    checker_.acknowledged(id);
    if (outages_)
      outages_->acknowledged(asked_at, now_);
  } else {
    checker_.refused(id);
  }
  n.clients.erase(client);
}

void world::read_done(node& n, const raft::read_ready& r) {
  const auto asked = n.reads.find(r.context);
  if (asked == n.reads.end())
    throw violation{"a read is answered that nobody asked"};
  checker_.reads(asked->second, r.index);
  n.reads.erase(asked);
  ++report_.reads;
}

void world::read_log(node& n, const raft::fetch& f) {
  if (chance_.chance(weather_.loss)) {
    n.core->fetch_failed(f.follower);
    return;
  }
  std::vector<raft::entry> found;
  std::size_t bytes = 0;
  for (auto i = f.from; bytes < f.bytes_max; i = i.next()) {
    const auto* e = disks_.at(n.id).find(i);
    if (!e)
      break;
    bytes += e->payload->size() + 1;
    found.push_back(*e);
  }
  n.readings.push_back(
      {now_ + chance_.between(0, weather_.sync_ms), f, std::move(found)});
}

void world::answer_readings(node& n) {
  while (!n.readings.empty() && n.readings.front().done_at <= now_) {
    const auto r = std::move(n.readings.front());
    n.readings.pop_front();
    n.core->fetched(r.asked, r.found);
    drain(n);
  }
}

void world::send_snapshot(node& n, node_id to) {
  if (n.tables.applied.index.value == 0)
    return;
  n.sending[to] = now_ + snapshot_patience_ms;
  const raft::snapshot_meta meta{n.tables.applied,
                                 n.core->members_at(n.tables.applied.index)};
  checker_.describes(n.id, meta);
  send(n.id, to, snapshot_message{n.id, to, n.core->term(), meta, n.tables},
       chance_.between(0, 500));
}

void world::send(node_id from, node_id to, letter l, std::uint64_t extra_ms) {
  if (!nodes_.contains(to) || links_.is(links::fault::cut, from, to)
      || chance_.chance(weather_.loss))
    return;
  if (links_.is(links::fault::clogged, from, to)) {
    auto& waiting = clogged_[{from, to}];
    if (waiting.size() < clogged_max)
      waiting.push_back(std::move(l));
    return;
  }
  const auto at = [&] {
    return now_ + extra_ms + chance_.between(0, weather_.delay_ms);
  };
  if (chance_.chance(weather_.twice))
    post_.emplace(at(), l);
  post_.emplace(at(), std::move(l));
  if (post_.size() > letters_max)
    throw violation{"the members flood each other with messages"};
}

// -- the end ------------------------------------------------------------------

bool world::agrees() const {
  const node* leader = nullptr;
  for (const auto& [_, n] : nodes_)
    if (n.core && n.core->current_role() == raft::role::leader
        && (!leader || n.core->term() > leader->core->term()))
      leader = &n;
  if (!leader || leader->core->commit() != leader->core->last().index
      || leader->core->commit() < checker_.committed()
      || raft::is_joint(leader->core->members())
      || !raft::is_voter(leader->core->members(), leader->id)
      || leader->tables.applied.term != leader->core->term())
    return false;
  for (const auto id : raft::everybody(leader->core->members()))
    if (nodes_.at(id).tables.applied != leader->tables.applied)
      return false;
  return true;
}

void world::heal() {
  weather calm;
  calm.nodes = weather_.nodes;
  calm.voters = weather_.voters;
  weather_ = calm;
  mend_links();
  for (auto& [_, n] : nodes_)
    n.paused_until = n.down_until = 0;
  const auto begun = now_;
  const auto until = [&](const char* what, const std::function<bool()>& met) {
    while (!met()) {
      step();
      if (now_ - begun > heal_ms_max)
        throw violation{what};
    }
  };
  until("the healed group does not come to an agreement",
        [this] { return agrees(); });
  node_id calm_under;
  auto calm_since = now_;
  until("the healed group does not come to rest", [&] {
    const auto* leader = some_leader();
    if (!leader || leader->id != calm_under) {
      calm_under = leader ? leader->id : node_id{};
      calm_since = now_;
    }
    return leader && now_ >= calm_since + calm_ms && agrees();
  });
  // Whoever took it may be replaced before it is committed, and refuse it then:
  // clients ask again, so each leader is asked once.
  const auto before = checker_.acknowledged_count();
  term_id asked_in;
  until("the healed group does not finish a command", [&] {
    auto* leader = some_leader();
    if (leader && leader->core->term() != asked_in && take_command(*leader)) {
      asked_in = leader->core->term();
      drain(*leader);
    }
    return checker_.acknowledged_count() > before && agrees();
  });
  const auto reads = report_.reads;
  until("the healed group answers no read", [&] {
    auto* leader = some_leader();
    if (leader) {
      read(*leader);
      drain(*leader);
    }
    return report_.reads > reads;
  });
  report_.healed_after_ms = now_ - begun;
  checker_.ends(some_leader()->tables);
}

std::string world::scene() const {
  const auto list = [](const std::vector<node_id>& nodes) {
    std::string out;
    for (const auto n : nodes)
      out += std::to_string(n.value);
    return out;
  };
  std::ostringstream out;
  for (const auto& [id, n] : nodes_) {
    out << "  node " << id.value;
    if (!n.core) {
      const auto& floor = disks_.at(id).floor;
      out << (n.gone ? " gave its replica up at " : " is down, floor ")
          << floor.term.value << ':' << floor.index.value << '\n';
      continue;
    }
    const auto& c = *n.core;
    const auto& m = c.members();
    constexpr const char* roles[] = {"follows", "wants to lead", "leads"};
    out << ' ' << roles[static_cast<int>(c.current_role())] << ", term "
        << c.term().value << ", last " << c.last().term.value << ':'
        << c.last().index.value << ", commit " << c.commit().value
        << ", applied " << n.tables.applied.index.value << ", members "
        << list(m.voters) << '/' << list(m.outgoing) << '/' << list(m.learners);
    for (const auto other : ids_)
      if (const auto* p = c.progress_of(other))
        out << ", " << other.value << " has " << p->match.value << " next "
            << p->next.value << " mode " << static_cast<int>(p->state);
    out << '\n';
  }
  return out.str();
}

void report::add(const report& other) {
  trace ^= other.trace;
  steps += other.steps;
  simulated_ms += other.simulated_ms;
  acknowledged += other.acknowledged;
  reads += other.reads;
  leaders += other.leaders;
  crashes += other.crashes;
  changes += other.changes;
  snapshots += other.snapshots;
  given_up += other.given_up;
  begun_anew += other.begun_anew;
  healed_after_ms = std::max(healed_after_ms, other.healed_after_ms);
  episodes.insert(episodes.end(), other.episodes.begin(), other.episodes.end());
}

void report::tell(board& line, double seconds) const {
  line.add("simulated_hours", static_cast<double>(simulated_ms) / 3.6e6)
      .add("steps_per_s", static_cast<double>(steps) / seconds)
      .add("acknowledged", acknowledged)
      .add("reads", reads)
      .add("leaders", leaders)
      .add("crashes", crashes)
      .add("changes", changes)
      .add("snapshots", snapshots)
      .add("given_up", given_up)
      .add("begun_anew", begun_anew)
      .add("healed_ms_max", healed_after_ms);
  if (!episodes.empty()) {
    const auto all = [this](std::uint64_t outages::episode::*part,
                            std::uint64_t unit) {
      std::vector<std::uint64_t> values;
      for (const auto& e : episodes)
        values.push_back(e.*part / unit);
      return values;
    };
    line.add("episodes", episodes.size())
        .add_spread("outage_ticks", all(&outages::episode::longest_ms, tick_ms))
        .add_spread("back_ticks", all(&outages::episode::back_ms, tick_ms))
        .add_spread("leaders_of_episode", all(&outages::episode::leaders, 1));
  }
  line.add_trace(trace);
}

report world::result() const {
  auto r = report_;
  r.simulated_ms = now_;
  r.acknowledged = checker_.acknowledged_count();
  if (outages_)
    r.episodes = outages_->episodes();
  return r;
}

report run(std::uint64_t seed, std::uint64_t ms, const weather& w) {
  world it(seed, w);
  std::string what;
  try {
    it.trouble(ms);
    it.heal();
  } catch (const violation& v) {
    what = v.what;
  }
  auto r = it.result();
  if (!what.empty())
    r.scene = it.scene();
  r.violation = std::move(what);
  return r;
}

report run(std::uint64_t seed, std::uint64_t ms) {
  return run(seed, ms, weather_of(seed));
}

} // namespace muster::sim
