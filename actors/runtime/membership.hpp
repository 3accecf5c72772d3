#pragma once

#include <caf/actor_system.hpp>

#include "actors/core/cluster/membership_core.hpp"
#include "actors/runtime/peer.hpp"

/// Who is in the cluster and who lives: keeps `node_context::members`.
namespace muster::runtime {

/// What the actor works with. References outlive it.
struct membership_parts {
  node_context& context;
  const cluster_options& options;
  /// What this node says about itself, asked anew each time.
  std::function<cluster::member_facts()> own_facts;
};

/// The gate tells it whom it heard and whom it missed. The caller monitors it.
membership_actor spawn_membership(caf::actor_system& system,
                                  membership_parts parts);

} // namespace muster::runtime
