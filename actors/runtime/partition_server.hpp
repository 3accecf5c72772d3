#pragma once

#include <functional>

#include "actors/runtime/supervisor.hpp"

/// Lets nodes that have no replica of a partition read it here.
namespace muster::runtime {

/// What it works with. References outlive it.
struct partition_server_parts {
  node_handles& handles;
  const clock& time;
  /// How long a follower of changes waits at most before it hears that there
  /// are none.
  milliseconds feed_wait{2'000};
  /// How long a read waits for the tables to get as far as it wants.
  milliseconds read_wait{1'000};
  /// Changes remembered of each partition that is followed, and told at once.
  std::size_t feed_changes_max = 4'096;
  std::size_t part_changes_max = 512;
};

/// Answers pb::PartitionRead from the tables of this node, `unavailable` where
/// it does not show that partition. Of changes it remembers the newest, from the
/// first read on. The caller monitors it.
partition_server_actor spawn_partition_server(caf::actor_system& system,
                                              partition_server_parts parts);

} // namespace muster::runtime
