#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "actors/runtime/supervisor.hpp"
#include "actors/runtime/tls_credentials.hpp"
#include "muster/peer.pb.h"

/// How nodes of a cluster reach each other: each publishes one actor, its door,
/// on the cluster port, over CAF's middleman (BASP). What crosses is protobuf
/// inside of the messages below, so that versions can differ.
namespace muster::runtime {

/// Of what is said between nodes; others are refused.
inline constexpr std::uint64_t peer_protocol = 1;
/// Longest wait for another node to answer a hello, and a request.
inline constexpr milliseconds peer_hello_timeout{1'000};
inline constexpr milliseconds peer_answer_timeout{5'000};

/// Who I am (pb::PeerHello) -> the same of the other side. Asked when a
/// connection is made, and again to see whether the other side lives.
/// `failed_precondition` if the two do not belong together; the text says why.
struct peer_hello {
  std::string bytes;
};
/// What has come together for that node (pb::RaftTraffic). Answered with
/// `peer_received`, sooner or later.
struct peer_traffic {
  std::string bytes;
};
/// So many bytes of traffic have been handed on.
struct peer_received {
  std::uint64_t bytes = 0;
};
/// A pb::PlacementCall. -> pb::PlacementReport, serialized
struct peer_placement {
  std::string call;
};
/// A pb::SnapshotOffer. -> offer_answer as a number
struct peer_offer {
  std::string offer;
};
/// A pb::SnapshotPull. -> pb::SnapshotPart, serialized
struct peer_pull {
  std::string pull;
};
/// A pb::ClientsCall. -> pb::ClientsReport, serialized
struct peer_clients {
  std::string call;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, peer_hello& m) {
  return f(caf::meta::type_name("peer_hello"), m.bytes);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, peer_traffic& m) {
  return f(caf::meta::type_name("peer_traffic"), m.bytes);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, peer_received& m) {
  return f(caf::meta::type_name("peer_received"), m.bytes);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, peer_offer& m) {
  return f(caf::meta::type_name("peer_offer"), m.offer);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, peer_placement& m) {
  return f(caf::meta::type_name("peer_placement"), m.call);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, peer_pull& m) {
  return f(caf::meta::type_name("peer_pull"), m.pull);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, peer_clients& m) {
  return f(caf::meta::type_name("peer_clients"), m.call);
}

/// Adds middleman and messages to what a system is made with.
void allow_peers(caf::actor_system_config& config);

/// Of the gate and the door. References outlive them.
struct peer_parts {
  node_id self;
  /// The other members as they are now.
  std::function<std::vector<cluster::member>()> peers;
  node_handles& handles;
  const clock& time;
  /// What this node says about itself; `to` is filled in by the caller.
  std::function<pb::PeerHello()> hello;
  /// `node_context::cluster`
  std::function<std::shared_ptr<const pb::MembershipRecord>()> cluster;
  /// How connections are secured; null: not at all.
  tls_credentials_ptr tls;
  /// How often peers are asked whether they live.
  milliseconds probe_every{2'000};
  /// How often replicas are told that time passes.
  milliseconds tick_every{100};
  /// Unread traffic of one peer; what comes on top is dropped, Raft repeats it.
  std::size_t unread_bytes_max = 64U << 20U;
};

/// What both work with on a node that is a member of a cluster.
peer_parts peers_of(const supervisor_parts& parts);

/// Facts of a hello, as the membership keeps them.
cluster::member_facts facts_of(const pb::PeerHello& hello);

/// Whether this node is one of the members that `record` (may be null) names.
result<void> check_own_place(const pb::MembershipRecord* record,
                             const pb::PeerHello& own);

/// Whether `theirs`, said by `from`, fits to `own` and to what is known of the
/// cluster (may be null). `failed_precondition` if the two do not belong
/// together: another version or cluster, or a member with another data directory
/// than the one it entered with, which has forgotten its votes.
result<void> check_hello(const pb::PeerHello& theirs, const pb::PeerHello& own,
                         node_id from, const pb::MembershipRecord* known);

/// The way out: batches what replicas say to members elsewhere, one message per
/// peer and round, keeps the connections, and makes time pass for the replicas.
/// The caller monitors it.
gate_actor spawn_gate(caf::actor_system& system, peer_parts parts);

/// The way in: hands what arrives to the replicas. Keeps nothing.
caf::actor spawn_door(caf::actor_system& system, peer_parts parts);

/// Publishes a door. `unavailable` if the port cannot be had.
result<void> publish_door(caf::actor_system& system, const caf::actor& door,
                          const std::string& address, std::uint16_t port,
                          tls_credentials_ptr tls);

} // namespace muster::runtime
