#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <caf/fwd.hpp>

#include "actors/api/actors.hpp"
#include "actors/api/config_index.hpp"
#include "actors/api/connection.hpp"
#include "actors/api/members.hpp"
#include "actors/api/service_directory.hpp"
#include "actors/core/base/clock.hpp"

/// What a front-end may use of the node it runs on.
namespace muster::api {

/// How far the node is. `serving` = all partitions held here have a leader known
/// and were caught up once; `draining` = SIGTERM came, finish what was accepted.
enum class node_state : std::uint8_t { starting, serving, draining };

/// Facts that do not change while the process runs.
struct node_facts {
  std::string version;         ///< of Muster
  std::string advertised_ip;
  std::uint16_t http_port = 8848;
  std::uint16_t sdk_port = 9848;
  bool standalone = true;
  std::uint64_t partitions = 16; ///< config partitions, 1…P
};

/// Handles and read sides. Thread-safe; outlives every front-end. Handles may
/// change when a supervisor restarts an actor: take them anew for each request.
class node {
public:
  virtual ~node() = default;

  virtual caf::actor_system& system() = 0;
  virtual const clock& time() const = 0;
  virtual const node_facts& facts() const = 0;
  virtual node_state state() const = 0;
  /// From now on, for the whole process. `invalid_argument` if the name is not
  /// one of trace, debug, info, warn, error, off.
  virtual result<void> set_log_level(std::string_view name) = 0;

  /// Who is in the cluster; a node that stands alone is its only member. Never
  /// null once the node was started.
  virtual member_list_ptr members() const = 0;

  virtual const config_index& configs() const = 0;
  virtual const service_directory& services() const = 0;

  /// The group member of a partition; null while it is being restarted.
  virtual replica_actor replica(partition_id partition) const = 0;
  /// Who reads that partition's tables; null while being restarted.
  virtual state_actor tables(partition_id partition) const = 0;
  virtual namespaces_actor namespaces() const = 0;
  /// Null while being restarted, and on a node that stands alone.
  virtual placement_actor placement() const { return {}; }

  /// Starts the actor of an accepted stream. `resource_exhausted` above the
  /// connection limit, `unavailable` while not serving.
  virtual result<connection_actor> connect(client_info info,
                                           std::shared_ptr<push_sink> sink) = 0;
};

} // namespace muster::api
