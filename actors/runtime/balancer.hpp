#pragma once

#include <caf/actor_system.hpp>

#include "actors/api/clients.hpp"
#include "muster/peer.pb.h"

/// Moves clients' streams between nodes: when somebody asks for it, and away
/// from a node that drains.
namespace muster::runtime {

struct node_context;
struct node_handles;

/// What the actor works with. References outlive it.
struct balancer_parts {
  node_context& context;
  node_handles& handles;
};

/// Keeps nothing between requests. The caller monitors it.
api::balancer_actor spawn_balancer(caf::actor_system& system,
                                   balancer_parts parts);

/// Does what a member asked of the clients of this node, whose `streams` may be
/// null. Any thread.
pb::ClientsReport serve_clients_call(const pb::ClientsCall& call,
                                     api::client_streams* streams);

} // namespace muster::runtime
