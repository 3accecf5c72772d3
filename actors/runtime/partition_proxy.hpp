#pragma once

#include "actors/runtime/supervisor.hpp"

/// Stands in for a partition whose tables this node does not show.
namespace muster::runtime {

/// What it works with. References outlive it.
struct partition_proxy_parts {
  partition_id group;
  node_id self;
  node_context& context;
  node_handles& handles;
  replica_times times;
  /// Told with `partition_usable` once the partition can be used on this node.
  caf::actor starter;
  /// Reads in progress at most.
  std::size_t reads_max = 16'384;
};

/// One for each partition but 0 on a member of a cluster. As long as this node
/// has no replica that has caught up, it reads at a node that has (one hop, and
/// never older than what was read or written here before), has the leader do
/// writes, and follows the changes, so that watchers here wake. If the other
/// node no longer knows what changed, it ends the partition's config groups:
/// their watchers watch and compare anew. Once the replica here is ready it has
/// the state worker show the tables, and keeps out of the way. The caller
/// monitors it.
partition_proxy_actor spawn_partition_proxy(caf::actor_system& system,
                                            partition_proxy_parts parts);

} // namespace muster::runtime
