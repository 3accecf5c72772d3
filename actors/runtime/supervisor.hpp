#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include "actors/api/clients.hpp"
#include "actors/api/handle_cell.hpp"
#include "actors/api/node.hpp"
#include "actors/core/cluster/rebalance.hpp"
#include "actors/runtime/context.hpp"
#include "actors/runtime/distro.hpp"
#include "actors/runtime/figures.hpp"
#include "actors/runtime/spine.hpp"
#include "actors/runtime/tls_credentials.hpp"

/// Starts the node's own actors and starts them anew when they die.
namespace muster::runtime {

/// Where the current handles are. Written by the supervisor, read by anybody.
struct node_handles {
  explicit node_handles(std::size_t partitions, std::size_t worker_count)
    : workers(worker_count), replicas(partitions + 1), proxies(partitions + 1),
      bound(partitions + 1), views(partitions + 1), followed(partitions + 1),
      figures(partitions + 1) {}

  /// These are null on a node that stands alone.
  api::handle_cell<membership_actor> membership;
  api::handle_cell<gate_actor> gate;
  api::handle_cell<snapshot_sender_actor> snapshot_sender;
  api::handle_cell<snapshot_receiver_actor> snapshot_receiver;
  api::handle_cell<distro_actor> distro;
  api::handle_cell<placement_actor> placement;
  api::handle_cell<log_writer_actor> writer;
  std::vector<api::handle_cell<state_worker_actor>> workers;
  /// By partition number, 0…P, as the next five. Null where there is none.
  std::vector<api::handle_cell<member_actor>> replicas;
  /// Null for partition 0, and on a node that stands alone.
  std::vector<api::handle_cell<partition_proxy_actor>> proxies;
  /// Whether the node's disk knows what it voted for in the group: else it is
  /// made no member. Written by the supervisor.
  std::vector<std::atomic<bool>> bound;
  /// Whose tables readers of this node get.
  std::vector<cluster::partition_view> views;
  /// Whether other nodes follow what is applied here. Written by the partition
  /// server.
  std::vector<std::atomic<bool>> followed;
  api::handle_cell<partition_server_actor> partition_server;
  /// Of the children above.
  api::handle_cell<caf::actor> supervisor;
  api::handle_cell<api::namespaces_actor> namespaces;
  api::handle_cell<api::balancer_actor> balancer;
  /// The clients with streams to this node; null while it takes none. Written by
  /// the wiring.
  std::atomic<std::shared_ptr<api::client_streams>> clients{};
  /// What these actors count.
  node_figures figures;

  state_worker_actor worker_of(partition_id p) const {
    return workers[p.value % workers.size()].load();
  }
  /// Who tells other nodes what is applied; null if none wants to know.
  partition_server_actor follower_of(partition_id p) const {
    return followed[p.value].load() ? partition_server.load()
                                    : partition_server_actor{};
  }
  /// Without partition 0.
  std::uint64_t partitions() const { return replicas.size() - 1; }
  /// Of those, the ones whose own tables readers get, in order.
  std::vector<std::uint64_t> shown_partitions() const {
    std::vector<std::uint64_t> out;
    for (std::uint64_t p = 1; p < views.size(); ++p)
      if (views[p].is_here())
        out.push_back(p);
    return out;
  }
  /// Who reads the partition for this node, and who writes to it.
  api::state_actor tables_of(partition_id p) const {
    if (views[p.value].is_here())
      return worker_of(p);
    return proxies[p.value].load();
  }
  api::replica_actor writer_to(partition_id p) const {
    if (views[p.value].is_here())
      return replicas[p.value].load();
    return proxies[p.value].load();
  }
};

/// Of the placement of groups (placement.hpp).
struct placement_settings {
  cluster::placement_rules rules{};
  /// How often the node that leads partition 0 looks.
  milliseconds look_every{1'000};
  /// After so long without a sign of life another member takes over the votes
  /// of one, if there is another; 0 = never.
  milliseconds replace_after{1'800'000};
};

/// What makes a node a member of a cluster.
struct cluster_options {
  /// Where its door listens; the port is `self.cluster_port`.
  std::string address;
  /// This node and the others, as the configuration names them.
  cluster::member self;
  std::vector<cluster::member> peers;
  replica_times times;
  /// Drawn when the data directory was made.
  std::string incarnation;
  /// What this node remembered of the cluster when it last ran.
  std::optional<pb::MembershipRecord> remembered;
  /// Makes it durable. Blocks; called by the membership actor's own thread.
  std::function<result<void>(const pb::MembershipRecord&)> remember;
  /// How often peers are asked whether they live, and how often in a row they
  /// may be silent before they count as down.
  milliseconds probe_every{2'000};
  std::uint32_t failures_max = 3;
  /// With it, nodes talk by TLS only; null: without.
  tls_credentials_ptr tls;
  snapshot_settings snapshots;
  placement_settings placement;
};

/// What the supervisor works with. References outlive it.
struct supervisor_parts {
  node_context& context;
  node_handles& handles;
  raft::log_store& logs;
  raft::state_store& tables;
  node_id self;
  std::uint64_t partitions = 0;
  std::optional<cluster_options> cluster;
  /// Of this node, for others to know.
  std::function<cluster::member_facts()> own_facts;
  /// Called once readers and writers here have every partition: from a replica
  /// that has applied what it found, or from another node.
  std::function<void()> partitions_usable;
  /// Called by any thread, each time distro knows what its peers know.
  std::function<void()> distro_ready;
};

/// To the supervisor: this stream's actor ends with the node.
struct adopt_connection {
  caf::actor connection;
};

/// What happens on this node goes to its watchers, and to nodes that follow. The
/// references outlive the worker.
state_worker_parts worker_parts(node_context& context, node_handles& handles,
                                raft::log_store& logs,
                                raft::state_store& tables);

/// Spawns all children at once, the log writer and the state workers first. A
/// child that dies is replaced with `backoff`; replicas wait for the actors they
/// lean on. Ends (with its children) on an exit message.
caf::actor spawn_supervisor(caf::actor_system& system, supervisor_parts parts);

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::adopt_connection)
