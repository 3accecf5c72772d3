#pragma once

#include <atomic>
#include <functional>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/typed_actor.hpp>

#include "actors/core/distro/ring.hpp"
#include "actors/core/distro/types.hpp"
#include "actors/runtime/context.hpp"
#include "actors/runtime/spine.hpp"

/// Ephemeral clients in a cluster: the actor around `distro_core`, and what
/// services say to it.
namespace muster::runtime {

/// From a service: others have to know. The view that shows it is published.
struct publications_changed {
  std::vector<naming::publication_ptr> all;
};
/// From a service: have the node that is responsible do this. -> call_answer,
/// after the orders that make this service show it.
struct call_elsewhere {
  node_id to;
  distro::client_call call;
};
/// To a service: what other nodes know. -> done, once the view shows it
struct distro_orders {
  std::vector<distro::order> all;
};

using distro_actor =
    caf::typed_actor<caf::reacts_to<publications_changed>,
                     caf::replies_to<call_elsewhere>::with<distro::call_answer>,
                     caf::reacts_to<distro_in>, caf::reacts_to<distro_unsent>>;

/// What all services and the distro actor of a node in a cluster share.
/// Outlives them; any thread.
struct distro_share {
  distro_share(naming::node_life self, std::function<distro_actor()> actor_now)
      : sharing{self, revisions}, actor(std::move(actor_now)) {}

  naming::revision_clock revisions;
  naming::sharing sharing;
  /// Null while distro is restarting.
  std::function<distro_actor()> actor;
  /// Null until the members are known.
  std::atomic<distro::ring_ptr> ring;
  distro::distro_settings settings;
  /// This node stops: that connections end does not tell that clients did.
  std::atomic<bool> draining{false};
};

struct node_handles;

/// What it works with. References outlive it.
struct distro_parts {
  node_context& context;
  node_handles& handles;
  distro_share& share;
  /// Called once, when what peers know at start is shown here.
  std::function<void()> ready;
};

/// Puts itself into `handles.distro`, and then starts from the services' views.
/// Follows `context.members`. The caller monitors it and starts it anew.
distro_actor spawn_distro(caf::actor_system& system, distro_parts parts);

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::publications_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::call_elsewhere)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::distro_orders)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::distro::call_answer)
