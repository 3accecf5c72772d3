#include <algorithm>
#include <map>
#include <utility>

#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/stateful_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/raft/wire.hpp"
#include "actors/runtime/peer.hpp"
#include "muster/command.pb.h"
#include "muster/peer.pb.h"

namespace muster::runtime {

namespace {

constexpr std::uint64_t protocol_version = 1;
constexpr milliseconds answer_timeout{5'000};

class door_state {
public:
  static inline const char* name = "door";

  explicit door_state(caf::event_based_actor* self) : self_(self) {}

  void start(peer_parts parts) { parts_.emplace(std::move(parts)); }

  caf::result<peer_hello> greet(const peer_hello& m);
  void take(const peer_traffic& m);
  caf::result<std::string> propose(const peer_propose& m);
  caf::result<std::uint64_t> read(const peer_read& m);

private:
  bool is_peer(node_id node) const {
    return std::ranges::any_of(parts_->peers,
                               [&](const auto& p) { return p.id == node; });
  }
  member_actor replica(std::uint64_t group) const {
    const auto& all = parts_->handles.replicas;
    return group < all.size() ? all[group].load() : member_actor{};
  }

  caf::event_based_actor* self_;
  std::optional<peer_parts> parts_;
};

caf::error refused(std::string why) {
  return api::to_caf({errc::failed_precondition, std::move(why)});
}

caf::error no_replica() {
  return api::to_caf({errc::unavailable, "the partition is not here now"});
}

caf::result<peer_hello> door_state::greet(const peer_hello& m) {
  const auto asked = [&]() -> std::string {
    if (m.version != protocol_version)
      return "another version of the cluster protocol";
    if (node_id{m.to} != parts_->self)
      return "this is node " + std::to_string(parts_->self.value);
    if (!is_peer(node_id{m.from}))
      return "node " + std::to_string(m.from) + " is not a member here";
    if (m.partitions != parts_->partitions)
      return "this cluster has " + std::to_string(parts_->partitions)
             + " partitions";
    return {};
  }();
  if (!asked.empty()) {
    spdlog::warn("a node that calls itself {} was refused: {}", m.from, asked);
    return refused(asked);
  }
  return peer_hello{protocol_version, m.to, m.from, m.partitions};
}

void door_state::take(const peer_traffic& m) {
  pb::RaftTraffic in;
  if (!in.ParseFromString(m.bytes)) {
    spdlog::warn("traffic of another node does not parse");
    return;
  }
  std::map<partition_id, raft_in> by_group;
  for (auto& each : *in.mutable_messages()) {
    auto read = raft::from_wire(std::move(each));
    if (read && read->second.to == parts_->self && is_peer(read->second.from))
      by_group[read->first].messages.push_back(std::move(read->second));
  }
  for (auto& [group, messages] : by_group)
    if (const auto to = replica(group.value))
      self_->send(to, std::move(messages));
  if (const auto& from = self_->current_sender())
    self_->send(caf::actor_cast<caf::actor>(from),
                peer_received{m.bytes.size()});
}

caf::result<std::string> door_state::propose(const peer_propose& m) {
  const auto to = replica(m.group);
  if (!to)
    return no_replica();
  auto command = std::make_shared<pb::Command>();
  if (!command->ParseFromString(m.command))
    return api::to_caf({errc::invalid_argument, "a command does not parse"});
  auto promise = self_->make_response_promise<std::string>();
  self_->request(to, answer_timeout, propose_here{std::move(command)})
      .then(
          [promise](const model::outcome& o) mutable {
            pb::Outcome out;
            out.set_code(static_cast<std::uint32_t>(o.code));
            out.set_message(o.message);
            out.set_index(o.index.value);
            out.set_id(o.id);
            out.set_existed(o.existed);
            promise.deliver(out.SerializeAsString());
          },
          [promise](const caf::error& e) mutable {
            auto why = api::from_caf(e);
            if (!api::is_ours(e))
              why.code = errc::unknown;
            promise.deliver(api::to_caf(why));
          });
  return promise;
}

caf::result<std::uint64_t> door_state::read(const peer_read& m) {
  const auto to = replica(m.group);
  if (!to)
    return no_replica();
  auto promise = self_->make_response_promise<std::uint64_t>();
  self_->request(to, answer_timeout, read_here{})
      .then(
          [promise](log_index index) mutable { promise.deliver(index.value); },
          [promise](const caf::error& e) mutable {
            promise.deliver(api::to_caf(api::from_caf(e)));
          });
  return promise;
}

using pointer = caf::stateful_actor<door_state>*;

caf::behavior door(pointer self, const peer_parts& parts) {
  auto& s = self->state;
  s.start(parts);
  return {
      [&s](const peer_hello& m) { return s.greet(m); },
      [&s](const peer_traffic& m) { s.take(m); },
      [&s](const peer_propose& m) { return s.propose(m); },
      [&s](const peer_read& m) { return s.read(m); },
  };
}

} // namespace

void allow_peers(caf::actor_system_config& config) {
  config.load<caf::io::middleman>();
  config.add_message_type<peer_hello>("muster_peer_hello")
      .add_message_type<peer_traffic>("muster_peer_traffic")
      .add_message_type<peer_received>("muster_peer_received")
      .add_message_type<peer_propose>("muster_peer_propose")
      .add_message_type<peer_read>("muster_peer_read");
}

peer_parts peers_of(const supervisor_parts& parts) {
  peer_parts out{parts.self, parts.partitions, parts.cluster->peers,
                 parts.handles, parts.context.time};
  return out;
}

caf::actor spawn_door(caf::actor_system& system, peer_parts parts) {
  return system.spawn(door, std::move(parts));
}

result<void> publish_door(caf::actor_system& system, const caf::actor& door,
                          const std::string& address, std::uint16_t port) {
  const auto bound =
      system.middleman().publish(door, port, address.c_str(), true);
  if (!bound)
    return fail(errc::unavailable,
                "the cluster port " + std::to_string(port)
                    + " cannot be had: " + caf::to_string(bound.error()));
  return {};
}

} // namespace muster::runtime
