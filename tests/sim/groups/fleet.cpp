#include "tests/sim/groups/fleet.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "actors/core/raft/wire.hpp"
#include "tests/sim/raft/checker.hpp"

namespace muster::sim {

namespace {

// A machine and a network of today, roughly; what is compared ran on the same.
constexpr std::uint64_t ms = 1'000;              ///< in µs
constexpr std::uint64_t gate_tick_us = 100 * ms; ///< runtime's peer_parts
constexpr milliseconds heartbeat_every{200};     ///< runtime's replica_times
constexpr std::uint64_t latency_us = 200;        ///< of a link
constexpr std::uint64_t link_bytes_per_us = 125; ///< 1 Gbit/s
constexpr std::uint64_t sync_us = 1'000;
constexpr std::uint64_t disk_bytes_per_us = 200;
constexpr std::uint64_t message_us = 2; ///< to handle or make one
constexpr std::uint64_t ticks_per_us = 5;
constexpr std::size_t members = 3;
constexpr milliseconds election_after{1'000};
constexpr std::uint64_t elected_within_us = 10'000 * ms;
constexpr std::size_t value_bytes = 200;
/// All groups but the idle ones together.
constexpr std::uint64_t writes_per_s = 1'000;
/// On top of these, whether it is slow or not.
constexpr std::uint64_t writes_per_s_of_slow = 200;

std::uint64_t hash_of(const raft::entry& e) {
  return std::hash<std::string_view>{}(*e.payload)
         ^ random(e.term.value).next();
}

} // namespace

fleet::fleet(std::uint64_t seed, const fleet_settings& s)
    : settings_(s), chance_(seed), groups_(s.groups) {
  add_nodes(s.nodes);
  for (std::size_t g = 0; g < s.groups; ++g) {
    raft::configuration all;
    for (std::size_t m = 0; m < members; ++m)
      all.voters.push_back(nodes_[(g + m) % s.nodes].id);
    for (const auto id : all.voters)
      begin_replica(nodes_[id.value - 1], g, all);
  }
}

void fleet::add_nodes(std::size_t count) {
  for (; count > 0; --count) {
    auto& n = nodes_.emplace_back();
    n.id = node_id{nodes_.size()};
    n.tick_due = now_ + chance_.between(1, gate_tick_us);
    schedule(n.tick_due, n, [this, &n] { tick(n); });
  }
}

void fleet::begin_replica(node& n, std::size_t group, raft::configuration all) {
  raft::fsm::settings s;
  s.self = n.id;
  s.members = std::move(all);
  s.heartbeat_every = heartbeat_every;
  s.election_after = election_after;
  s.seed = chance_.next();
  auto& r = n.replicas[group];
  r.group = group;
  r.core.emplace(s, raft::stored_group{});
}

fleet_figures fleet::measure(std::uint64_t for_ms) {
  const auto all_led = [this] {
    for (std::size_t g = is_slow(0) ? 1 : 0; g < groups_.size(); ++g)
      if (!leader_of(g))
        return false;
    return true;
  };
  while (!all_led()) {
    if (now_ > elected_within_us)
      throw violation{"a group elects nobody"};
    run_until(now_ + 100 * ms);
  }
  // What came with the elections is over.
  run_until(now_ + 2'000 * ms);
  measuring_ = true;
  pass(for_ms);
  measuring_ = false;
  return std::exchange(figures_, {});
}

void fleet::pass(std::uint64_t for_ms) {
  for (const auto end = now_ + for_ms * ms; now_ < end;) {
    offer_writes();
    run_until(now_ + ms);
  }
}

// -- time ---------------------------------------------------------------------

void fleet::schedule(std::uint64_t at, node& where, std::function<void()> act) {
  events_.emplace(std::pair{at, ++order_}, event{&where, std::move(act)});
}

void fleet::run_until(std::uint64_t end) {
  while (!events_.empty() && events_.begin()->first.first <= end) {
    auto next = events_.extract(events_.begin());
    now_ = next.key().first;
    auto& [where, act] = next.mapped();
    if (where->busy_until > now_) {
      schedule(where->busy_until, *where, std::move(act));
      continue;
    }
    ++figures_.steps;
    act();
  }
  now_ = end;
}

void fleet::tick(node& n) {
  if (measuring_) {
    ++figures_.ticks;
    if (now_ > n.tick_due + gate_tick_us / 2)
      ++figures_.ticks_lost;
  }
  figures_.replica_ticks += n.replicas.size();
  use_processor(n, n.replicas.size() / ticks_per_us + 1);
  for (auto& [_, r] : n.replicas) {
    r.core->tick(steady_time{milliseconds(now_ / ms)});
    drain(n, r);
  }
  n.tick_due = now_ + gate_tick_us;
  schedule(n.tick_due, n, [this, &n] { tick(n); });
}

// -- gate and door ------------------------------------------------------------

void fleet::collect(node& n, std::size_t group, const raft::message& m) {
  auto& wire = *n.due[m.to].add_messages();
  raft::to_wire(partition_id{group}, m, wire);
  use_processor(n, message_us);
  if (measuring_ && group == 0)
    ++figures_.first_messages;
  if (measuring_ && is_idle(group)) {
    ++figures_.idle_messages;
    figures_.idle_bytes += wire.ByteSizeLong();
  }
  // Behind what stands in the mailbox.
  if (!std::exchange(n.flush_due, true))
    schedule(n.busy_until, n, [this, &n] { flush(n); });
}

void fleet::flush(node& n) {
  n.flush_due = false;
  for (auto& [to, traffic] : n.due) {
    if (traffic.messages().empty())
      continue;
    auto bytes = traffic.SerializeAsString();
    traffic.Clear();
    figures_.envelopes += measuring_ ? 1 : 0;
    auto& free_at = n.link_free_at[to];
    free_at = std::max(free_at, now_) + bytes.size() / link_bytes_per_us;
    auto& peer = nodes_[to.value - 1];
    schedule(free_at + latency_us + chance_.between(0, latency_us / 4), peer,
             [this, &peer, b = std::move(bytes)] { arrived(peer, b); });
  }
}

void fleet::arrived(node& n, const std::string& bytes) {
  pb::RaftTraffic in;
  if (!in.ParseFromString(bytes))
    throw violation{"an envelope does not parse"};
  use_processor(n, message_us * static_cast<std::uint64_t>(in.messages_size()));
  for (auto& each : *in.mutable_messages()) {
    auto read = raft::from_wire(std::move(each));
    if (!read)
      throw violation{"a message does not parse"};
    tell(n, read->first.value,
         [m = std::move(read->second)](raft::fsm& core) { core.step(m); });
  }
}

void fleet::tell(node& n, std::size_t group,
                 const std::function<void(raft::fsm&)>& what) {
  const auto now = [this, &n, group, what] {
    // Somebody made this node a member.
    if (!n.replicas.contains(group))
      begin_replica(n, group, {});
    auto& r = n.replicas.at(group);
    what(*r.core);
    drain(n, r);
  };
  if (is_slow(group))
    schedule(now_ + settings_.slow_us, n, now);
  else
    now();
}

// -- log writer ---------------------------------------------------------------

void fleet::begin_sync(node& n) {
  if (n.syncing || n.to_write.empty())
    return;
  n.syncing = true;
  std::size_t bytes = 0;
  for (const auto& w : n.to_write)
    bytes += w.bytes;
  schedule(now_ + sync_us + chance_.between(0, sync_us / 4)
               + bytes / disk_bytes_per_us,
           n, [this, &n, writes = std::exchange(n.to_write, {})] {
             synced(n, writes);
           });
}

void fleet::synced(node& n, const std::vector<log_write>& writes) {
  n.syncing = false;
  begin_sync(n);
  for (const auto& w : writes)
    tell(n, w.group,
         [number = w.number](raft::fsm& core) { core.written(number); });
}

// -- replicas -----------------------------------------------------------------

void fleet::drain(node& n, replica& r) {
  for (auto out = r.core->take_output(); !out.empty();
       out = r.core->take_output())
    carry_out(n, r, out);
}

void fleet::carry_out(node& n, replica& r, raft::output& out) {
  if (out.became == raft::role::leader
      && r.core->current_role() == raft::role::leader) {
    const auto [known, fresh] =
        groups_[r.group].leaders.try_emplace(r.core->term(), n.id);
    if (!fresh && known->second != n.id)
      throw violation{"two leaders of one term"};
    groups_[r.group].leading = &n;
    if (measuring_ && !is_slow(r.group))
      ++figures_.leaders;
  }
  if (out.write != 0) {
    std::size_t bytes = 0;
    for (auto& e : out.entries) {
      bytes += e.payload->size();
      r.log.resize(e.index.value - 1);
      r.log.push_back(std::move(e));
    }
    n.to_write.push_back({r.group, out.write, bytes});
    begin_sync(n);
  }
  for (const auto& m : out.messages)
    collect(n, r.group, m);
  if (out.commit)
    apply(r, *out.commit);
  for (const auto& f : out.fetches) {
    const auto from =
        r.log.begin() + static_cast<std::ptrdiff_t>(f.from.value - 1);
    auto to = from;
    for (std::size_t bytes = 0; to != r.log.end() && bytes < f.bytes_max; ++to)
      bytes += to->payload->size();
    r.core->fetched(f, {from, to});
  }
}

void fleet::apply(replica& r, log_index upto) {
  auto& all = groups_[r.group].applied;
  for (; r.applied < upto; r.applied = r.applied.next()) {
    const auto& e = r.log.at(r.applied.value);
    const auto hash = hash_of(e);
    if (all.size() == r.applied.value)
      all.push_back(hash);
    if (all[r.applied.value] != hash)
      throw violation{"members of a group apply different entries"};
    const auto client = r.clients.find(e.index);
    if (client == r.clients.end())
      continue;
    if (measuring_ && r.group != 0)
      figures_.writes_us.push_back(now_ - client->second);
    r.clients.erase(client);
  }
}

// -- clients ------------------------------------------------------------------

fleet::node* fleet::leader_of(std::size_t group) {
  auto* n = groups_[group].leading;
  const bool leads =
      n && n->replicas.at(group).core->current_role() == raft::role::leader;
  return leads ? n : nullptr;
}

/// Those of the next millisecond, at any time in it.
void fleet::offer_writes() {
  const auto offer = [this](std::size_t group) {
    if (auto* n = leader_of(group))
      schedule(now_ + chance_.between(1, ms), *n,
               [this, n, group] { write(*n, group); });
  };
  for (auto left = writes_per_s / 1'000; left > 0; --left)
    offer(2 * (1 + chance_.next() % ((groups_.size() - 1) / 2)));
  if (chance_.chance(writes_per_s_of_slow * 1'000))
    offer(0);
}

void fleet::write(node& n, std::size_t group) {
  auto& r = n.replicas.at(group);
  auto value = std::to_string(++next_id_);
  value.resize(value_bytes, ' ');
  const auto at =
      r.core->propose(std::make_shared<const std::string>(std::move(value)));
  if (at)
    r.clients[at->index] = now_;
  else if (!is_slow(group) && !leaders_move_)
    throw violation{"a write is refused: " + at.error().message};
  use_processor(n, message_us);
  drain(n, r);
}

// -- who places the groups ----------------------------------------------------

std::vector<cluster::placed_node> fleet::placed_nodes() const {
  std::set<partition_id> all;
  for (std::size_t g = 1; g <= groups_.size(); ++g)
    all.emplace(g);
  std::vector<cluster::placed_node> out;
  for (const auto& n : nodes_)
    out.push_back({.id = n.id, .bound = all});
  return out;
}

std::vector<cluster::placed_group> fleet::placed_groups() {
  std::vector<cluster::placed_group> out;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    // Partition 0 has other rules.
    const partition_id number{g + 1};
    if (auto* n = leader_of(g))
      out.push_back(cluster::as_placed(number, n->id, *n->replicas.at(g).core));
    else
      out.push_back({number, {}, {}, false, {}});
  }
  return out;
}

/// An order reaches its leader at once. What is refused is asked for again.
void fleet::carry_out(const cluster::placement_steps& steps) {
  leaders_move_ = leaders_move_ || !steps.moves.empty();
  const auto order = [this](partition_id group, node_id leader, auto what) {
    auto& n = nodes_[leader.value - 1];
    schedule(now_ + latency_us, n, [this, &n, g = group.value - 1, what] {
      auto& r = n.replicas.at(g);
      if (what(*r.core))
        drain(n, r);
    });
  };
  for (const auto& each : steps.changes)
    order(each.group, each.leader, [each](raft::fsm& core) {
      return core.members() == each.from
             && core.change_members(each.to).has_value();
    });
  for (const auto& each : steps.moves)
    order(each.group, each.from, [each](raft::fsm& core) {
      return core.transfer(each.to).has_value();
    });
}

} // namespace muster::sim
