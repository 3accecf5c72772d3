#pragma once

#include <caf/typed_actor.hpp>

#include "actors/api/messages.hpp"

/// Typed interfaces of the actors that other folders may use. One line per
/// message says what it does; the structs' comments have shapes and errors.
///
/// Errors travel as `caf::error` made by `to_caf(error)`; `protocols/common/ask`
/// turns them back into `muster::error`.
namespace muster::api {

/// A Raft group member (one per partition held here).
using replica_actor
  = caf::typed_actor<caf::replies_to<propose>::with<model::outcome>,
                     caf::replies_to<read_barrier>::with<log_index>>;

/// Applies and reads a partition's tables; detached, a small fixed pool.
using state_actor
  = caf::typed_actor<caf::replies_to<load_config>::with<config_loaded>,
                     caf::replies_to<list_config_names>::with<config_names>,
                     caf::replies_to<load_service>::with<service_state>,
                     caf::replies_to<list_stored_services>::with<service_names>,
                     caf::replies_to<list_namespaces>::with<namespace_list>,
                     caf::replies_to<count_configs>::with<config_counts>,
                     caf::replies_to<list_history>::with<history_rows>,
                     caf::replies_to<load_cluster>::with<cluster_loaded>>;

/// Fans out changes of the configs of one (namespace, group).
using config_group_actor
  = caf::typed_actor<caf::replies_to<watch_configs>::with<done>,
                     caf::replies_to<unwatch_configs>::with<done>,
                     caf::reacts_to<model::event>>;

/// Who is in the cluster, and where the groups are.
using placement_actor
  = caf::typed_actor<caf::replies_to<survey_members>::with<member_survey>,
                     caf::replies_to<change_member>::with<model::outcome>>;

// -- service ------------------------------------------------------------------

/// Publishes ephemeral instances of one client, replacing what this client
/// published to this service before (G 7.5); empty `instances` is accepted.
/// -> done, once readers see it. `failed_precondition`: the service is of the
/// other kind; `invalid_argument`: bad heart-beat times.
struct publish_instances {
  request_meta meta;
  /// `<ip>:<port>#true` or a connection id.
  std::string client_id;
  /// The connection whose end retracts this; null for heart-beat clients.
  caf::actor owner;
  std::vector<std::shared_ptr<const naming::instance>> instances;
  /// Done on this node even if another one is responsible for the client: here
  /// and below. Set by nodes that ask each other.
  bool here = false;
};
/// To the owner: what it published was refused (the answer went to who asked).
struct publish_refused {
  service_key key;
  /// As published.
  std::vector<std::shared_ptr<const naming::instance>> refused;
  /// What the service has of this client instead, as before.
  std::vector<std::shared_ptr<const naming::instance>> held;
};
/// Retracts all that a client published to this service. -> done, also if there
/// was nothing.
struct retract_instances {
  request_meta meta;
  std::string client_id;
  bool here = false;
};
/// A heart-beat of an HTTP client. -> beat_answer
struct beat_instance {
  request_meta meta;
  std::string client_id;
  /// Registers the instance if unknown (full beat); null = light beat.
  std::shared_ptr<const naming::instance> full;
  bool here = false;
};
struct beat_answer {
  bool known = false; ///< false: the client has to register again
  milliseconds interval{5000};
};
/// Changes that go through partition 0 (persistent instances, definitions,
/// overrides): proposes, then answers once this service's view shows it.
/// -> model::outcome
struct change_service {
  request_meta meta;
  std::shared_ptr<const pb::Command> command;
};
/// -> how many watches this service has.
struct count_watchers {};

using service_actor
  = caf::typed_actor<caf::replies_to<publish_instances>::with<done>,
                     caf::replies_to<retract_instances>::with<done>,
                     caf::replies_to<beat_instance>::with<beat_answer>,
                     caf::replies_to<change_service>::with<model::outcome>,
                     caf::replies_to<watch_service>::with<naming::service_view_ptr>,
                     caf::replies_to<unwatch_service>::with<done>,
                     caf::replies_to<count_watchers>::with<std::size_t>,
                     caf::reacts_to<model::event>>;

// -- namespaces ---------------------------------------------------------------

class service_slot;

/// -> service_opened. Creates the service's actor and slot on first use.
struct open_service {
  request_meta meta;
  service_key key;
};
struct service_opened {
  std::shared_ptr<service_slot> slot;
};
/// -> config_group_actor for (namespace, group), created on first use.
struct open_config_group {
  request_meta meta;
  std::string space;
  std::string group;
};
/// -> service_page: names of existing services, sorted. Blank group = all.
struct list_services {
  request_meta meta;
  std::string space;
  std::string group;
};
struct service_page {
  std::vector<std::shared_ptr<service_slot>> services;
};

/// Supervises the services and config groups of all namespaces; delegates to
/// the namespace's own actor.
using namespaces_actor
  = caf::typed_actor<caf::replies_to<open_service>::with<service_opened>,
                     caf::replies_to<open_config_group>::with<config_group_actor>,
                     caf::replies_to<list_services>::with<service_page>,
                     caf::replies_to<watch_names>::with<done>,
                     caf::replies_to<unwatch_names>::with<done>>;

} // namespace muster::api

#define MUSTER_LOCAL(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::type)
MUSTER_LOCAL(api::done)
MUSTER_LOCAL(api::propose)
MUSTER_LOCAL(api::read_barrier)
MUSTER_LOCAL(api::load_config)
MUSTER_LOCAL(api::config_loaded)
MUSTER_LOCAL(api::list_config_names)
MUSTER_LOCAL(api::config_names)
MUSTER_LOCAL(api::load_service)
MUSTER_LOCAL(api::service_state)
MUSTER_LOCAL(api::list_stored_services)
MUSTER_LOCAL(api::service_names)
MUSTER_LOCAL(api::list_namespaces)
MUSTER_LOCAL(api::namespace_list)
MUSTER_LOCAL(api::count_configs)
MUSTER_LOCAL(api::config_counts)
MUSTER_LOCAL(api::list_history)
MUSTER_LOCAL(api::history_rows)
MUSTER_LOCAL(api::load_cluster)
MUSTER_LOCAL(api::cluster_loaded)
MUSTER_LOCAL(api::survey_members)
MUSTER_LOCAL(api::member_survey)
MUSTER_LOCAL(api::change_member)
MUSTER_LOCAL(api::watch_configs)
MUSTER_LOCAL(api::unwatch_configs)
MUSTER_LOCAL(api::config_fired)
MUSTER_LOCAL(api::watch_service)
MUSTER_LOCAL(api::unwatch_service)
MUSTER_LOCAL(api::service_fired)
MUSTER_LOCAL(api::watch_names)
MUSTER_LOCAL(api::unwatch_names)
MUSTER_LOCAL(api::name_fired)
MUSTER_LOCAL(api::publish_instances)
MUSTER_LOCAL(api::publish_refused)
MUSTER_LOCAL(api::retract_instances)
MUSTER_LOCAL(api::beat_instance)
MUSTER_LOCAL(api::beat_answer)
MUSTER_LOCAL(api::change_service)
MUSTER_LOCAL(api::count_watchers)
MUSTER_LOCAL(api::open_service)
MUSTER_LOCAL(api::service_opened)
MUSTER_LOCAL(api::open_config_group)
MUSTER_LOCAL(api::list_services)
MUSTER_LOCAL(api::service_page)
MUSTER_LOCAL(api::config_group_actor)
MUSTER_LOCAL(naming::service_view_ptr)
MUSTER_LOCAL(model::outcome)
MUSTER_LOCAL(model::event)
MUSTER_LOCAL(log_index)
#undef MUSTER_LOCAL
