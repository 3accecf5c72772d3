#include <map>
#include <random>
#include <utility>
#include <vector>

#include <caf/exit_reason.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/base/backoff.hpp"
#include "actors/core/raft/wire.hpp"
#include "actors/runtime/accept.hpp"
#include "actors/runtime/peer.hpp"
#include "actors/runtime/peer_calls.hpp"
#include "actors/runtime/peer_sockets.hpp"
#include "muster/peer.pb.h"

namespace muster::runtime {

namespace {

/// Messages to oneself: send what was collected; let time pass; connect.
struct flush_traffic {};
struct pass_time {};
struct connect_peer {
  node_id to;
};
struct probe_peers {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::flush_traffic)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::pass_time)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::connect_peer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::probe_peers)

namespace muster::runtime {

namespace {

/// TCP, and what the middlemen say to each other before the first message.
constexpr milliseconds connect_timeout{2'000};
/// Nobody waits long for a peer that came back.
constexpr milliseconds reconnect_longest{1'000};
/// A connection over which so many probes fail is given up.
constexpr unsigned probes_lost_max = 2;

std::uint64_t draw() {
  std::random_device source;
  return (std::uint64_t{source()} << 32U) ^ source();
}

using gate_impl =
    gate_actor::extend<caf::reacts_to<flush_traffic>, caf::reacts_to<pass_time>,
                       caf::reacts_to<connect_peer>,
                       caf::reacts_to<probe_peers>,
                       caf::reacts_to<peer_received>>;

class gate_state {
public:
  static inline const char* name = "gate";

  explicit gate_state(gate_impl::pointer self) : self_(self) {}

  void start(peer_parts parts) {
    parts_.emplace(std::move(parts));
    self_->set_down_handler([this](const caf::down_msg& m) { on_down(m); });
    follow_members();
    tick();
    self_->delayed_send(self_, parts_->probe_every, probe_peers{});
  }

  void collect(const raft_out& m);
  void collect(const distro_out& m);
  void flush_later();
  void flush();
  void tick();
  void follow_members();
  void connect(node_id to);
  void probe();
  void greeted(const peer_greeted& m) {
    if (links_.contains(m.from))
      connect(m.from);
  }
  void received(const peer_received& m);
  caf::result<model::outcome> propose(const propose_at& m);
  caf::result<log_index> read(const read_at& m);
  caf::result<std::string> read(const read_partition_at& m);
  /// Of the other node's door, which answers so.
  void answer(const answer_call& m);
  void answered(const calls_answered& m) {
    for (const auto& each : m.answers)
      calls_.answered(m.by, *each);
  }
  template <class Answer, class M>
  caf::result<Answer> ask(node_id to, const M& m);

private:
  struct link {
    cluster::member peer;
    /// Else it was a member once. Links stay: answers may be on their way.
    bool wanted = true;
    caf::actor door; ///< null while there is no connection
    bool connecting = false;
    unsigned probes_lost = 0;
    std::string trouble; ///< why it was not reached last
    backoff delay{reconnect_longest};
    pb::RaftTraffic due;
    std::uint64_t unread = 0; ///< bytes sent and not reported as received
  };

  void greet(link& l, const caf::strong_actor_ptr& door);
  void connected(link& l, const caf::actor& door);
  void failed(link& l, const std::string& why);
  void lost(link& l, const std::string& why);
  void silent(link& l, const caf::actor_addr& asked, const std::string& why);
  void leave(link& l);
  result<void> read_hello(const link& l, const peer_hello& m);
  peer_hello own_hello(const link& l) const;
  void on_down(const caf::down_msg& m);
  pb::PeerCall& begin_call(link& l, peer_calls::kind what);
  template <class Message>
  void tell_membership(Message m) {
    if (const auto to = parts_->handles.membership.load())
      self_->send(to, std::move(m));
  }
  link* linked(node_id to) {
    const auto found = links_.find(to);
    return found != links_.end() && found->second.door ? &found->second
                                                       : nullptr;
  }

  gate_impl::pointer self_;
  std::optional<peer_parts> parts_;
  std::map<node_id, link> links_;
  peer_calls calls_{draw()};
  bool flush_due_ = false;
};

error no_way(node_id to) {
  return {errc::unavailable,
          "node " + std::to_string(to.value) + " cannot be reached"};
}

// -- connections --------------------------------------------------------------

/// Members come and go while the node runs.
void gate_state::follow_members() {
  for (auto& [_, l] : links_)
    l.wanted = false;
  for (const auto& peer : parts_->peers()) {
    auto& l = links_[peer.id];
    l.peer = peer;
    l.wanted = true;
    connect(peer.id);
  }
  for (auto& [_, l] : links_)
    if (!l.wanted)
      leave(l);
}

void gate_state::leave(link& l) {
  if (!l.door)
    return;
  self_->demonitor(l.door);
  l.door = nullptr;
  l.due.Clear();
}

void gate_state::connect(node_id to) {
  auto& l = links_.at(to);
  if (!l.wanted || l.door || std::exchange(l.connecting, true))
    return;
  l.delay.started(parts_->time.steady());
  const auto sockets =
      spawn_peer_sockets(self_->system(), caf::actor_cast<caf::actor>(self_),
                         parts_->tls);
  self_
      ->request(sockets, connect_timeout, caf::connect_atom::value, l.peer.host,
                l.peer.cluster_port)
      .then(
          [this, &l, sockets](const caf::node_id&, caf::strong_actor_ptr& door,
                              const std::set<std::string>&) {
            self_->send_exit(sockets, caf::exit_reason::user_shutdown);
            if (door)
              greet(l, door);
            else
              failed(l, "it has no door");
          },
          [this, &l, sockets](const caf::error& e) {
            // After an answer the socket is closed, and its number perhaps
            // another's by now.
            self_->send_exit(sockets, e == caf::sec::request_timeout
                                          ? caf::exit_reason::kill
                                          : caf::exit_reason::user_shutdown);
            failed(l, api::from_caf(e).message);
          });
}

peer_hello gate_state::own_hello(const link& l) const {
  auto hello = parts_->hello();
  hello.set_to(l.peer.id.value);
  return {hello.SerializeAsString()};
}

/// If all is well, membership has heard of that node.
result<void> gate_state::read_hello(const link& l, const peer_hello& m) {
  pb::PeerHello in;
  if (!in.ParseFromString(m.bytes))
    return fail(errc::data_loss, "its hello does not parse");
  if (in.has_record())
    tell_membership(record_heard{
        std::make_shared<const pb::MembershipRecord>(in.record())});
  if (!in.refused().empty())
    return fail(errc::failed_precondition, in.refused());
  const auto known = parts_->cluster();
  const auto own = parts_->hello();
  if (auto fine = check_hello(in, own, l.peer.id, known.get()); !fine)
    return fine;
  // Who is a member may know it sooner than the other one.
  if (auto fine =
          check_own_place(in.has_record() ? &in.record() : nullptr, own);
      !fine && !known)
    return fine;
  tell_membership(peer_heard{l.peer.id, facts_of(in), !in.cluster().empty()});
  return {};
}

void gate_state::greet(link& l, const caf::strong_actor_ptr& door) {
  const auto handle = caf::actor_cast<caf::actor>(door);
  self_->request(handle, peer_hello_timeout, own_hello(l))
      .then(
          [this, &l, handle](const peer_hello& m) {
            if (const auto fine = read_hello(l, m); !fine)
              failed(l, fine.error().message);
            else
              connected(l, handle);
          },
          [this, &l](const caf::error& e) {
            failed(l, api::from_caf(e).message);
          });
}

void gate_state::connected(link& l, const caf::actor& door) {
  l.connecting = false;
  if (!l.wanted)
    return;
  spdlog::info("member {} is connected", l.peer.address());
  l.trouble.clear();
  l.door = door;
  l.unread = 0;
  l.probes_lost = 0;
  self_->monitor(door);
}

void gate_state::failed(link& l, const std::string& why) {
  l.connecting = false;
  if (!l.wanted)
    return;
  const auto wait = l.delay.died(parts_->time.steady());
  // Once each, for it is tried again and again.
  if (std::exchange(l.trouble, why) != why)
    spdlog::warn("member {} is not reached: {}", l.peer.address(), why);
  self_->delayed_send(self_, wait, connect_peer{l.peer.id});
}

void gate_state::lost(link& l, const std::string& why) {
  spdlog::warn("the connection to member {} is lost", l.peer.address());
  l.door = nullptr;
  l.due.Clear();
  calls_.lost(l.peer.id);
  failed(l, why);
}

void gate_state::on_down(const caf::down_msg& m) {
  for (auto& [_, l] : links_)
    if (l.door && l.door.address() == m.source)
      lost(l, caf::to_string(m.reason));
}

/// Asks every peer whether it lives. One that cannot be asked does not.
void gate_state::probe() {
  self_->delayed_send(self_, parts_->probe_every, probe_peers{});
  for (auto& [_, l] : links_) {
    if (!l.wanted)
      continue;
    if (!l.door) {
      tell_membership(peer_missed{l.peer.id});
      continue;
    }
    self_->request(l.door, peer_hello_timeout, own_hello(l))
        .then(
            [this, &l, asked = l.door.address()](const peer_hello& m) {
              const auto fine = read_hello(l, m);
              if (!fine) {
                silent(l, asked, fine.error().message);
                return;
              }
              l.probes_lost = 0;
            },
            [this, &l, asked = l.door.address()](const caf::error& e) {
              silent(l, asked, api::from_caf(e).message);
            });
  }
}

/// A probe brought nothing that can be used, for one because the other node has
/// another data directory now.
void gate_state::silent(link& l, const caf::actor_addr& asked,
                        const std::string& why) {
  tell_membership(peer_missed{l.peer.id});
  if (!l.door || l.door.address() != asked || ++l.probes_lost < probes_lost_max)
    return;
  self_->demonitor(l.door);
  lost(l, why);
}

// -- traffic ------------------------------------------------------------------

void gate_state::collect(const raft_out& m) {
  for (const auto& each : m.messages)
    if (auto* l = linked(each.to))
      raft::to_wire(m.group, each, *l->due.add_messages());
  flush_later();
}

/// Distro leaves half of what may be unread to Raft.
void gate_state::collect(const distro_out& m) {
  auto* l = linked(m.to);
  if (!l) {
    if (const auto distro = parts_->handles.distro.load())
      self_->send(distro, distro_unsent{m.to});
    return;
  }
  if (l->unread + m.body->size() > parts_->unread_bytes_max / 2)
    return;
  auto& out = *l->due.add_distro();
  out.set_from(parts_->self.value);
  out.set_to(m.to.value);
  out.set_message(*m.body);
  flush_later();
}

void gate_state::flush_later() {
  if (!std::exchange(flush_due_, true))
    self_->send(self_, flush_traffic{});
}

void gate_state::flush() {
  flush_due_ = false;
  for (auto& [_, l] : links_) {
    if (l.due.messages().empty() && l.due.distro().empty()
        && l.due.calls().empty() && l.due.answers().empty())
      continue;
    l.due.set_from(parts_->self.value);
    auto bytes = l.due.SerializeAsString();
    auto& figures = parts_->handles.figures;
    if (!l.door || l.unread + bytes.size() > parts_->unread_bytes_max) {
      figures.peer_messages_dropped.add();
      calls_.not_sent(l.due);
      l.due.Clear();
      continue;
    }
    l.due.Clear();
    l.unread += bytes.size();
    figures.peer_messages_sent.add();
    figures.peer_bytes_sent.add(bytes.size());
    // A typed actor has no other way to be the sender towards an untyped one.
    caf::actor_cast<caf::abstract_actor*>(l.door)->enqueue(
        self_->ctrl(), caf::make_message_id(),
        caf::make_message(peer_traffic{std::move(bytes)}), self_->context());
  }
}

void gate_state::received(const peer_received& m) {
  const auto& from = self_->current_sender();
  for (auto& [_, l] : links_)
    if (l.door && from && l.door.address() == from->address())
      l.unread -= std::min(l.unread, m.bytes);
}

void gate_state::tick() {
  for (const auto& cell : parts_->handles.replicas)
    if (const auto replica = cell.load())
      self_->send(replica, raft_tick{});
  calls_.expire(parts_->time.steady());
  self_->delayed_send(self_, parts_->tick_every, pass_time{});
}

// -- requests -----------------------------------------------------------------

caf::result<model::outcome> gate_state::propose(const propose_at& m) {
  auto* l = linked(m.to);
  if (!l)
    return api::to_caf(no_way(m.to));
  auto& out = begin_call(*l, peer_calls::kind::write);
  out.set_group(m.group.value);
  out.set_command(m.command->SerializeAsString());
  return caf::delegated<model::outcome>{};
}

caf::result<log_index> gate_state::read(const read_at& m) {
  auto* l = linked(m.to);
  if (!l)
    return api::to_caf(no_way(m.to));
  begin_call(*l, peer_calls::kind::barrier).set_group(m.group.value);
  return caf::delegated<log_index>{};
}

caf::result<std::string> gate_state::read(const read_partition_at& m) {
  auto* l = linked(m.to);
  if (!l)
    return api::to_caf(no_way(m.to));
  auto& out = begin_call(*l, peer_calls::kind::read);
  out.set_group(m.group.value);
  out.set_read(m.read);
  return caf::delegated<std::string>{};
}

pb::PeerCall& gate_state::begin_call(link& l, peer_calls::kind what) {
  flush_later();
  return calls_.begin(l.peer.id, what, reply{self_},
                      parts_->time.steady() + peer_answer_timeout, l.due);
}

void gate_state::answer(const answer_call& m) {
  if (auto* l = linked(m.to)) {
    *l->due.add_answers() = *m.answer;
    flush_later();
  }
}

template <class Answer, class M>
caf::result<Answer> gate_state::ask(node_id to, const M& m) {
  const auto* l = linked(to);
  if (!l)
    return api::to_caf(no_way(to));
  auto owed = share(reply{self_});
  self_->request(l->door, peer_answer_timeout, m)
      .then([owed](const Answer& answer) { owed->deliver(answer); },
            [owed](const caf::error& e) { owed->fail(api::from_caf(e)); });
  return caf::delegated<Answer>{};
}

using pointer = gate_impl::stateful_pointer<gate_state>;

gate_impl::behavior_type gate(pointer self, const peer_parts& parts) {
  auto& s = self->state;
  s.start(parts);
  return {
      [&s](const raft_out& m) { s.collect(m); },
      [&s](const distro_out& m) { s.collect(m); },
      [&s](const propose_at& m) { return s.propose(m); },
      [&s](const read_at& m) { return s.read(m); },
      [&s](const read_partition_at& m) { return s.read(m); },
      [&s](const calls_answered& m) { s.answered(m); },
      [&s](const answer_call& m) { s.answer(m); },
      [&s](const offer_at& m) {
        return s.ask<std::uint64_t>(m.to, peer_offer{m.offer});
      },
      [&s](const pull_at& m) {
        return s.ask<std::string>(m.to, peer_pull{m.pull});
      },
      [&s](const placement_at& m) {
        return s.ask<std::string>(m.to, peer_placement{m.call});
      },
      [&s](members_changed) { s.follow_members(); },
      [&s](const clients_at& m) {
        return s.ask<std::string>(m.to, peer_clients{m.call});
      },
      [&s](flush_traffic) { s.flush(); },
      [&s](pass_time) { s.tick(); },
      [&s](const connect_peer& m) { s.connect(m.to); },
      [&s](const peer_greeted& m) { s.greeted(m); },
      [&s](probe_peers) { s.probe(); },
      [&s](const peer_received& m) { s.received(m); },
  };
}

} // namespace

gate_actor spawn_gate(caf::actor_system& system, peer_parts parts) {
  return system.spawn(gate, std::move(parts));
}

} // namespace muster::runtime
