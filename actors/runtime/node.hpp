#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include "actors/api/node.hpp"
#include "actors/core/raft/ports.hpp"
#include "actors/runtime/context.hpp"
#include "actors/runtime/housekeeper.hpp"
#include "actors/runtime/supervisor.hpp"

/// A whole node behind `api::node`: the actor system and everything in it.
namespace muster::runtime {

/// What a node is made with. Fixed while it runs.
struct node_options {
  api::node_facts facts;
  node_id self{1};
  /// None: the node stands alone.
  std::optional<cluster_options> cluster;
  naming_settings naming;
  housekeeper_settings housekeeping;
  /// Bytes of config snapshots kept in memory.
  std::size_t config_cache_bytes = 128U << 20;
  /// Threads that apply and read tables.
  std::size_t state_workers = 2;
  /// Threads of CAF's scheduler; 0 = one per two cores.
  std::size_t scheduler_threads = 0;
  /// Streams at most.
  std::size_t connections_max = 50'000;
  /// Changes the level of the process' log; without it that is a
  /// `failed_precondition`.
  std::function<result<void>(std::string_view)> set_log_level;
};

/// Life: construct, `start`, serve, `drain`, `stop`, destruct; in that order, on
/// one thread. The stores must outlive it. `api::node`'s members may be called
/// by any thread between `start` and the destructor.
class node final : public api::node {
public:
  node(node_options options, raft::log_store& logs, raft::state_store& tables,
       const clock& time);
  ~node() override;
  node(const node&) = delete;

  /// Spawns the supervisor; returns at once. `state()` tells when it serves.
  /// `unavailable` if the cluster port cannot be had.
  result<void> start();

  /// Blocks until the node serves; false if it did not within `at_most`.
  bool wait_serving(milliseconds at_most) const;

  /// From now on `state()` is draining; requests in progress go on. A client
  /// of a cluster whose stream ends now is kept for other nodes.
  void drain();

  /// Ends all actors (answers what is owed), makes the tables durable. Blocks;
  /// idempotent.
  void stop();

  caf::actor_system& system() override;
  const clock& time() const override;
  const api::node_facts& facts() const override;
  api::node_state state() const override;
  api::member_list_ptr members() const override;
  const api::config_index& configs() const override;
  const api::service_directory& services() const override;
  api::replica_actor replica(partition_id partition) const override;
  api::state_actor tables(partition_id partition) const override;
  api::placement_actor placement() const override;
  result<void> set_log_level(std::string_view name) override;
  api::namespaces_actor namespaces() const override;
  result<api::connection_actor>
  connect(api::client_info info, std::shared_ptr<api::push_sink> sink) override;

  /// Spreads clients over the nodes; null while being restarted.
  api::balancer_actor balancer() const;
  /// The clients with streams to this node; null while it takes none.
  std::shared_ptr<api::client_streams> clients() const;
  /// Says whose clients these are from now on; null: nobody's.
  void serve_clients(std::shared_ptr<api::client_streams> streams);

  const node_figures& figures() const;

  /// The actors by name, for tests that kill them.
  std::vector<std::pair<std::string, caf::actor>> actors() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace muster::runtime
