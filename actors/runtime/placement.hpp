#pragma once

#include <caf/actor_system.hpp>

#include "actors/runtime/peer.hpp"

/// Where the groups' members and leaders are, and who is in the cluster.
namespace muster::runtime {

/// What the actor works with. References outlive it.
struct placement_parts {
  node_context& context;
  node_handles& handles;
  node_id self;
  std::uint64_t partitions = 0;
  placement_settings settings;
};

/// Reports the groups that this node leads, does what the node that leads
/// partition 0 orders, and while that is this node: compares, every second,
/// where the groups are with where they should be, and orders the next steps.
/// Keeps nothing: a successor, here or elsewhere, sees the same. The caller
/// monitors it.
placement_actor spawn_placement(caf::actor_system& system,
                                placement_parts parts);

} // namespace muster::runtime
