#include <algorithm>
#include <map>
#include <utility>

#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/cluster/record.hpp"
#include "actors/core/raft/wire.hpp"
#include "actors/runtime/balancer.hpp"
#include "actors/runtime/peer.hpp"
#include "actors/runtime/peer_calls.hpp"
#include "actors/runtime/peer_sockets.hpp"
#include "muster/command.pb.h"
#include "muster/peer.pb.h"

namespace muster::runtime {

namespace {

/// So often a sender hears what was received before it would have to stop.
constexpr std::uint64_t told_shares = 64;

class door_state {
public:
  static inline const char* name = "door";

  explicit door_state(caf::event_based_actor* self) : self_(self) {}

  void start(peer_parts parts) { parts_.emplace(std::move(parts)); }

  caf::result<peer_hello> greet(const peer_hello& m);
  void take(const peer_traffic& m);
  caf::result<std::uint64_t> offer(const peer_offer& m);
  caf::result<std::string> pull(const peer_pull& m);
  caf::result<std::string> place(const peer_placement& m);
  caf::result<std::string> ask_clients(const peer_clients& m);

private:
  bool is_peer(node_id node) const {
    return std::ranges::any_of(parts_->peers(),
                               [&](const auto& p) { return p.id == node; });
  }
  void warn(node_id from, const std::string& why);
  member_actor replica(std::uint64_t group) const {
    const auto& all = parts_->handles.replicas;
    return group < all.size() ? all[group].load() : member_actor{};
  }
  void call(partition_id group, raft_in said);
  void serve(node_id from, pb::PeerCall& call);
  void serve_read(node_id from, pb::PeerCall& call);
  void answer_call_of(node_id from, std::uint64_t id,
                      const model::outcome& outcome);
  void fail_call(node_id from, std::uint64_t id, const error& why);
  void send_answer(node_id to, std::shared_ptr<const pb::PeerAnswer> answer);
  void take_answers(node_id from, pb::RaftTraffic& in);
  void received(node_id from, std::size_t bytes);

  caf::event_based_actor* self_;
  std::optional<peer_parts> parts_;
  /// Bytes that came and were not reported yet. What is left of a connection
  /// that was lost is too little to matter to the next one.
  std::map<node_id, std::uint64_t> untold_;
  /// Why nodes were refused last: they come again and again.
  std::map<node_id, std::string> refused_;
};

caf::error refused(std::string why) {
  return api::to_caf({errc::failed_precondition, std::move(why)});
}

caf::error no_replica() {
  return api::to_caf({errc::unavailable, "the partition is not here now"});
}

void door_state::warn(node_id from, const std::string& why) {
  constexpr std::size_t remembered_max = 64;
  if (refused_.size() >= remembered_max)
    refused_.clear();
  if (std::exchange(refused_[from], why) != why)
    spdlog::warn("a node that calls itself {} was refused: {}", from.value,
                 why);
}

/// Who is refused is told why, and who the members are.
caf::result<peer_hello> door_state::greet(const peer_hello& m) {
  pb::PeerHello in;
  if (!in.ParseFromString(m.bytes))
    return refused("the hello does not parse");
  const node_id from{in.from()};
  auto own = parts_->hello();
  own.set_to(from.value);
  const auto known = parts_->cluster();
  if (const auto to = parts_->handles.membership.load(); to && in.has_record())
    self_->send(to, record_heard{std::make_shared<const pb::MembershipRecord>(
                        in.record())});
  auto fine = check_hello(in, own, from, known.get());
  if (fine && !is_peer(from))
    fine = fail(errc::failed_precondition,
                "node " + std::to_string(from.value) + " is not a member here");
  if (!fine) {
    warn(from, fine.error().message);
    own.set_refused(fine.error().message);
  } else if (const auto gate = parts_->handles.gate.load()) {
    self_->send(gate, peer_greeted{from});
  }
  return peer_hello{own.SerializeAsString()};
}

void door_state::take(const peer_traffic& m) {
  pb::RaftTraffic in;
  if (!in.ParseFromString(m.bytes)) {
    spdlog::warn("traffic of another node does not parse");
    return;
  }
  parts_->handles.figures.peer_messages_received.add();
  parts_->handles.figures.peer_bytes_received.add(m.bytes.size());
  std::map<partition_id, raft_in> by_group;
  for (auto& each : *in.mutable_messages()) {
    auto read = raft::from_wire(std::move(each));
    if (read && read->second.to == parts_->self && is_peer(read->second.from))
      by_group[read->first].messages.push_back(std::move(read->second));
  }
  for (auto& [group, messages] : by_group)
    if (const auto to = replica(group.value))
      self_->send(to, std::move(messages));
    else
      call(group, std::move(messages));
  if (const auto distro = parts_->handles.distro.load())
    for (auto& each : *in.mutable_distro())
      if (const node_id from{each.from()};
          node_id{each.to()} == parts_->self && is_peer(from))
        self_->send(distro,
                    distro_in{from, std::move(*each.mutable_message())});
  if (const node_id from{in.from()}; is_peer(from)) {
    for (auto& each : *in.mutable_calls())
      serve(from, each);
    take_answers(from, in);
    received(from, m.bytes.size());
  }
}

void door_state::take_answers(node_id from, pb::RaftTraffic& in) {
  const auto gate = parts_->handles.gate.load();
  if (!gate || in.answers().empty())
    return;
  calls_answered out{from, {}};
  for (auto& each : *in.mutable_answers())
    out.answers.push_back(
        std::make_shared<const pb::PeerAnswer>(std::move(each)));
  self_->send(gate, std::move(out));
}

/// Not for each: that would be as many messages again.
void door_state::received(node_id from, std::size_t bytes) {
  auto& untold = untold_[from];
  untold += bytes;
  const auto& sender = self_->current_sender();
  if (untold < parts_->unread_bytes_max / told_shares || !sender)
    return;
  self_->send(caf::actor_cast<caf::actor>(sender),
              peer_received{std::exchange(untold, 0)});
}

/// It may be a member again; what is said is said again.
void door_state::call(partition_id group, raft_in said) {
  if (const auto supervisor = parts_->handles.supervisor.load())
    self_->send(supervisor, group_called{group, std::move(said)});
}

void door_state::serve_read(node_id from, pb::PeerCall& call) {
  const auto id = call.id();
  auto what = std::make_shared<pb::PartitionRead>();
  if (!what->ParseFromString(call.read())
      || what->what_case() == pb::PartitionRead::WHAT_NOT_SET) {
    fail_call(from, id, {errc::invalid_argument, "the read does not parse"});
    return;
  }
  const auto to = parts_->handles.partition_server.load();
  if (!to) {
    fail_call(from, id, {errc::unavailable, "nothing can be read here now"});
    return;
  }
  self_
      ->request(to, peer_answer_timeout,
                read_partition{partition_id{call.group()}, std::move(what)})
      .then(
          [this, from, id](const std::string& bytes) {
            auto answer = std::make_shared<pb::PeerAnswer>();
            answer->set_id(id);
            answer->set_read(bytes);
            send_answer(from, std::move(answer));
          },
          [this, from, id](const caf::error& e) {
            fail_call(from, id, api::from_caf(e));
          });
}

void door_state::serve(node_id from, pb::PeerCall& call) {
  if (call.has_read()) {
    serve_read(from, call);
    return;
  }
  const auto id = call.id();
  const auto to = replica(call.group());
  if (!to) {
    fail_call(from, id, {errc::unavailable, "the partition is not here now"});
    return;
  }
  if (!call.has_command()) {
    self_->request(to, peer_answer_timeout, read_here{})
        .then(
            [this, from, id](log_index index) {
              model::outcome reached;
              reached.index = index;
              answer_call_of(from, id, reached);
            },
            [this, from, id](const caf::error& e) {
              fail_call(from, id, api::from_caf(e));
            });
    return;
  }
  auto command = std::make_shared<pb::Command>();
  if (!command->ParseFromString(call.command())) {
    fail_call(from, id, {errc::invalid_argument, "a command does not parse"});
    return;
  }
  self_->request(to, peer_answer_timeout, propose_here{std::move(command)})
      .then([this, from,
             id](const model::outcome& o) { answer_call_of(from, id, o); },
            [this, from, id](const caf::error& e) {
              fail_call(from, id, api::write_error(e));
            });
}

void door_state::answer_call_of(node_id from, std::uint64_t id,
                                const model::outcome& outcome) {
  auto answer = std::make_shared<pb::PeerAnswer>();
  answer->set_id(id);
  to_wire(outcome, *answer->mutable_outcome());
  send_answer(from, std::move(answer));
}

void door_state::fail_call(node_id from, std::uint64_t id, const error& why) {
  auto answer = std::make_shared<pb::PeerAnswer>();
  answer->set_id(id);
  answer->set_failed(true);
  answer->mutable_outcome()->set_code(static_cast<std::uint32_t>(why.code));
  answer->mutable_outcome()->set_message(why.message);
  send_answer(from, std::move(answer));
}

void door_state::send_answer(node_id to,
                             std::shared_ptr<const pb::PeerAnswer> answer) {
  if (const auto gate = parts_->handles.gate.load())
    self_->send(gate, answer_call{to, std::move(answer)});
}

caf::result<std::uint64_t> door_state::offer(const peer_offer& m) {
  const auto to = parts_->handles.snapshot_receiver.load();
  if (!to)
    return no_replica();
  return self_->delegate(to, consider_offer{m.offer});
}

caf::result<std::string> door_state::pull(const peer_pull& m) {
  const auto from = parts_->handles.snapshot_sender.load();
  if (!from)
    return no_replica();
  return self_->delegate(from, give_part{m.pull});
}

caf::result<std::string> door_state::place(const peer_placement& m) {
  const auto to = parts_->handles.placement.load();
  if (!to)
    return no_replica();
  return self_->delegate(to, placement_here{m.call});
}

caf::result<std::string> door_state::ask_clients(const peer_clients& m) {
  pb::ClientsCall call;
  if (!call.ParseFromString(m.call))
    return api::to_caf(
        {errc::invalid_argument, "a call about clients does not parse"});
  const auto streams = parts_->handles.clients.load();
  return serve_clients_call(call, streams.get()).SerializeAsString();
}

using pointer = caf::stateful_actor<door_state>*;

caf::behavior door(pointer self, const peer_parts& parts) {
  auto& s = self->state;
  s.start(parts);
  return {
      [&s](const peer_hello& m) { return s.greet(m); },
      [&s](const peer_traffic& m) { s.take(m); },
      [&s](const peer_offer& m) { return s.offer(m); },
      [&s](const peer_pull& m) { return s.pull(m); },
      [&s](const peer_placement& m) { return s.place(m); },
      [&s](const peer_clients& m) { return s.ask_clients(m); },
  };
}

} // namespace

cluster::member_facts facts_of(const pb::PeerHello& hello) {
  return {.boot = hello.boot(),
          .version = hello.version(),
          .sdk_port = static_cast<std::uint16_t>(hello.sdk_port()),
          .datacenter = hello.datacenter(),
          .region = hello.region(),
          .zone = hello.zone(),
          .serving = hello.serving(),
          .draining = hello.draining(),
          .shows = {hello.shows().begin(), hello.shows().end()}};
}

result<void> check_hello(const pb::PeerHello& theirs, const pb::PeerHello& own,
                         node_id from, const pb::MembershipRecord* known) {
  const auto refuse = [](std::string why) {
    return fail(errc::failed_precondition, std::move(why));
  };
  if (theirs.protocol() != peer_protocol)
    return refuse("another version of the cluster protocol");
  if (theirs.to() != own.from())
    return refuse("this is node " + std::to_string(own.from()));
  if (node_id{theirs.from()} != from)
    return refuse("it is node " + std::to_string(theirs.from()));
  if (theirs.partitions() != own.partitions())
    return refuse("this cluster has " + std::to_string(own.partitions())
                  + " partitions");
  if (!theirs.cluster().empty() && !own.cluster().empty()
      && theirs.cluster() != own.cluster())
    return refuse("this is cluster " + own.cluster() + ", not "
                  + theirs.cluster());
  if (known == nullptr)
    return {};
  for (const auto& member : known->members())
    if (member.node() == from.value && !member.incarnation().empty()
        && member.incarnation() != theirs.incarnation())
      return refuse("node " + std::to_string(from.value)
                    + " entered with another data directory");
  return {};
}

result<void> check_own_place(const pb::MembershipRecord* record,
                             const pb::PeerHello& own) {
  if (record == nullptr
      || cluster::is_member(*record, node_id{own.from()}, own.incarnation()))
    return {};
  return fail(errc::failed_precondition,
              "this node, with this data directory, is no member of cluster "
                  + record->id());
}

void allow_peers(caf::actor_system_config& config) {
  config.load<caf::io::middleman>();
  config.add_message_type<peer_hello>("muster_peer_hello")
      .add_message_type<peer_traffic>("muster_peer_traffic")
      .add_message_type<peer_received>("muster_peer_received")
      .add_message_type<peer_offer>("muster_peer_offer")
      .add_message_type<peer_pull>("muster_peer_pull")
      .add_message_type<peer_placement>("muster_peer_placement")
      .add_message_type<peer_clients>("muster_peer_clients");
}

peer_parts peers_of(const supervisor_parts& parts) {
  const auto known = [&context = parts.context] {
    return context.cluster.load();
  };
  const auto hello = [self = parts.self, partitions = parts.partitions,
                      incarnation = parts.cluster->incarnation, known,
                      facts = parts.own_facts] {
    const auto now = facts();
    pb::PeerHello out;
    out.set_protocol(peer_protocol);
    out.set_from(self.value);
    out.set_partitions(partitions);
    out.set_incarnation(incarnation);
    if (const auto record = known()) {
      out.set_cluster(record->id());
      *out.mutable_record() = *record;
    }
    out.set_boot(now.boot);
    out.set_version(now.version);
    out.set_sdk_port(now.sdk_port);
    out.set_datacenter(now.datacenter);
    out.set_region(now.region);
    out.set_zone(now.zone);
    out.set_serving(now.serving);
    out.set_draining(now.draining);
    out.mutable_shows()->Assign(now.shows.begin(), now.shows.end());
    return out;
  };
  const auto peers = [&context = parts.context, self = parts.self] {
    auto all = context.members.load()->all;
    std::erase_if(all, [self](const auto& m) { return m.id == self; });
    return all;
  };
  return {.self = parts.self,
          .peers = peers,
          .handles = parts.handles,
          .time = parts.context.time,
          .hello = hello,
          .cluster = known,
          .tls = parts.cluster->tls,
          .probe_every = parts.cluster->probe_every,
          // Twice per heartbeat, so that none is late by much.
          .tick_every = parts.cluster->times.heartbeat_every / 2};
}

caf::actor spawn_door(caf::actor_system& system, peer_parts parts) {
  return system.spawn(door, std::move(parts));
}

result<void> publish_door(caf::actor_system& system, const caf::actor& door,
                          const std::string& address, std::uint16_t port,
                          tls_credentials_ptr tls) {
  caf::scoped_actor self{system};
  const auto sockets =
      spawn_peer_sockets(system, caf::actor_cast<caf::actor>(self),
                         std::move(tls));
  result<void> done;
  self->request(sockets, peer_answer_timeout, caf::publish_atom::value, port,
                caf::actor_cast<caf::strong_actor_ptr>(door),
                std::set<std::string>{}, address, true)
      .receive([](std::uint16_t) {},
               [&](const caf::error& e) {
                 done = fail(errc::unavailable,
                             "the cluster port " + address + ":"
                                 + std::to_string(port)
                                 + " cannot be had: " + caf::to_string(e));
               });
  self->send_exit(sockets, caf::exit_reason::user_shutdown);
  return done;
}

} // namespace muster::runtime
