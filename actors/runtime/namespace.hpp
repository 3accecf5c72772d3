#pragma once

#include <memory>
#include <string>

#include <caf/fwd.hpp>

#include "actors/api/actors.hpp"
#include "actors/runtime/context.hpp"

/// One namespace and what its children say to it.
namespace muster::runtime {

/// By a service: its view shows what is stored, it takes requests.
struct service_up {
  std::shared_ptr<api::service_slot> slot;
};
/// By a service: its first host came or its last one went.
struct service_presence {
  std::shared_ptr<api::service_slot> slot;
  bool present = false;
};
/// By a service or config group nobody needs: -> done, after which nobody finds
/// it any more. It lingers, hands late requests on to its successor, and ends.
/// `failed_precondition`: somebody is just opening it.
struct retire_service {
  std::shared_ptr<api::service_slot> slot;
};
struct retire_group {
  std::string group;
  api::config_group_actor actor;
};
/// By the parent: -> done, once everything stored in this namespace is up.
struct await_stored {};
/// To oneself.
struct load_stored {};
struct restart_service {
  service_key key;
};
struct tell_names {};

/// Supervises the services and config groups of one namespace. Answers for its
/// own namespace what the namespaces actor answers for all.
using namespace_actor = api::namespaces_actor::extend<
  caf::reacts_to<service_up>, caf::reacts_to<service_presence>,
  caf::replies_to<retire_service>::with<api::done>,
  caf::replies_to<retire_group>::with<api::done>,
  caf::replies_to<await_stored>::with<api::done>, caf::reacts_to<model::event>,
  caf::reacts_to<load_stored>, caf::reacts_to<restart_service>,
  caf::reacts_to<tell_names>>;

/// Requests wait until what is stored is up. A new actor of a namespace takes
/// over the slots that are in the directory. Ends its children when it ends.
namespace_actor spawn_namespace(caf::actor_system& system, node_context& node,
                                std::string space);

} // namespace muster::runtime

#define MUSTER_LOCAL(type)                                                     \
  CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::type)
MUSTER_LOCAL(service_up)
MUSTER_LOCAL(service_presence)
MUSTER_LOCAL(retire_service)
MUSTER_LOCAL(retire_group)
MUSTER_LOCAL(await_stored)
MUSTER_LOCAL(load_stored)
MUSTER_LOCAL(restart_service)
MUSTER_LOCAL(tell_names)
#undef MUSTER_LOCAL
