#pragma once

#include <memory>

#include <caf/fwd.hpp>

#include "actors/api/service_directory.hpp"
#include "actors/runtime/context.hpp"
#include "actors/runtime/namespace.hpp"

namespace muster::runtime {

/// What a service works with.
struct service_parts {
  node_context& node;
  std::shared_ptr<api::service_slot> slot;
  namespace_actor parent;
};

/// The owner of one service and its slot; takes over from `slot->view()`. Put
/// its handle into the slot before anybody else runs, so that no event passes it
/// by. It loads what is stored, tells its parent `service_up`, and then serves;
/// requests that come earlier wait. The caller monitors it.
api::service_actor spawn_service(caf::actor_system& system,
                                 service_parts parts);

/// What partition 0 said, in the core's form.
naming::stored_service to_stored(const api::service_state& state);

} // namespace muster::runtime
