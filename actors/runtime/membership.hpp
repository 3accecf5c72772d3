#pragma once

#include <caf/actor_system.hpp>

#include "actors/core/cluster/membership_core.hpp"
#include "actors/runtime/peer.hpp"

/// Who is in the cluster and who lives: keeps `node_context::members`.
namespace muster::runtime {

/// What the actor works with. References outlive it.
struct membership_parts {
  node_context& context;
  cluster_options options;
  /// What this node says about itself, asked anew each time.
  std::function<cluster::member_facts()> own_facts;
  std::function<gate_actor()> gate;
  /// Called once it is known with which members the groups begin
  /// (`node_context::first_members`).
  std::function<void()> groups_may_begin;
};

/// The members as they were when the node last ran, else as its configuration
/// names them; with the node itself.
std::vector<cluster::member> known_members(const cluster_options& options);

/// The gate tells it whom it heard and whom it missed. The caller monitors it.
membership_actor spawn_membership(caf::actor_system& system,
                                  membership_parts parts);

} // namespace muster::runtime
