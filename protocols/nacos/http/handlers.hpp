#pragma once

#include "protocols/nacos/http/calls.hpp"

/// Every handler of Nacos' HTTP APIs; routes.cpp says which path is whose.
/// Each decodes, asks, encodes; the facts are in nacos-http at the section
/// named beside it.
namespace muster::nacos {

using http::response;

// -- config (2) ---------------------------------------------------------------
awaitable<response> config_get_v1(context& c);
awaitable<response> config_publish_v1(context& c);
awaitable<response> config_remove_v1(context& c);
awaitable<response> config_listen_v1(context& c);
awaitable<response> config_get_v2(context& c);
awaitable<response> config_publish_v2(context& c);
awaitable<response> config_remove_v2(context& c);
awaitable<response> config_get_v3_client(context& c);

// -- instances (3.1, 3.2, 3.4, 3.5) -------------------------------------------
awaitable<response> instance_register_v1(context& c);
awaitable<response> instance_remove_v1(context& c);
awaitable<response> instance_update_v1(context& c);
awaitable<response> instance_patch_v1(context& c);
awaitable<response> instance_get_v1(context& c);
awaitable<response> instance_list_v1(context& c);
awaitable<response> instance_beat_v1(context& c);
awaitable<response> instance_register_v2(context& c);
awaitable<response> instance_remove_v2(context& c);
awaitable<response> instance_update_v2(context& c);
awaitable<response> instance_patch_v2(context& c);
awaitable<response> instance_get_v2(context& c);
awaitable<response> instance_list_v2(context& c);
awaitable<response> instance_beat_v2(context& c);
awaitable<response> instance_register_v3(context& c);
awaitable<response> instance_remove_v3(context& c);
awaitable<response> instance_list_v3(context& c);
awaitable<response> instance_metadata_put_v1(context& c);
awaitable<response> instance_metadata_remove_v1(context& c);
awaitable<response> instance_metadata_put_v2(context& c);
awaitable<response> instance_metadata_remove_v2(context& c);

// -- services (3.3, 3.4) ------------------------------------------------------
awaitable<response> service_create_v1(context& c);
awaitable<response> service_update_v1(context& c);
awaitable<response> service_remove_v1(context& c);
awaitable<response> service_get_v1(context& c);
awaitable<response> service_list_v1(context& c);
awaitable<response> service_create_v2(context& c);
awaitable<response> service_update_v2(context& c);
awaitable<response> service_remove_v2(context& c);
awaitable<response> service_get_v2(context& c);
awaitable<response> service_list_v2(context& c);
awaitable<response> naming_metrics_v1(context& c);
awaitable<response> naming_metrics_v2(context& c);
awaitable<response> naming_health_v1(context& c);

// -- namespaces (4) -----------------------------------------------------------
awaitable<response> namespace_get_v1(context& c);
awaitable<response> namespace_create_v1(context& c);
awaitable<response> namespace_update_v1(context& c);
awaitable<response> namespace_remove_v1(context& c);
awaitable<response> namespace_list_v2(context& c);
awaitable<response> namespace_get_v2(context& c);
awaitable<response> namespace_create_v2(context& c);
awaitable<response> namespace_update_v2(context& c);
awaitable<response> namespace_remove_v2(context& c);

// -- state, health, login (5, 6.1, 7) -----------------------------------------
awaitable<response> state_plain(context& c);
awaitable<response> state_console(context& c);
awaitable<response> state_admin(context& c);
awaitable<response> liveness_v1(context& c);
awaitable<response> readiness_v1(context& c);
awaitable<response> liveness_envelope(context& c);
awaitable<response> readiness_v2(context& c);
awaitable<response> readiness_admin(context& c);
awaitable<response> liveness_console(context& c);
awaitable<response> readiness_console(context& c);
awaitable<response> login(context& c);
awaitable<response> log_level_admin(context& c);

// -- members of the cluster (5) -----------------------------------------------
awaitable<response> member_self_v1(context& c);
awaitable<response> member_list_v1(context& c);
awaitable<response> member_addresses_v1(context& c);
awaitable<response> member_health_v1(context& c);
awaitable<response> member_self(context& c);
awaitable<response> member_health(context& c);
awaitable<response> member_list(context& c);
awaitable<response> member_list_console(context& c);

/// All metrics of the process (8.6).
awaitable<response> prometheus_text(context& c);

/// The framework's 404 for what is below a known path but not in this build.
response no_endpoint(const http::request& request);

} // namespace muster::nacos
