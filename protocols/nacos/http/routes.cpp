#include "protocols/nacos/http/routes.hpp"

#include <limits>

#include "protocols/nacos/http/handlers.hpp"

/// The routes table of Nacos' HTTP APIs.
namespace muster::nacos {

namespace {

using common::action;
using common::gate;
using common::permission;
using common::resource;
using common::route;
using common::scope;
using http::method;

/// Who may: nacos-http 1.7.
constexpr permission nobody_asked{};
constexpr permission config_read{scope::open, action::read, resource::config};
constexpr permission config_write{scope::open, action::write, resource::config};
constexpr permission naming_read{scope::open, action::read, resource::naming};
constexpr permission naming_write{scope::open, action::write, resource::naming};
constexpr permission server_write{scope::open, action::write, resource::fixed,
                                  "core/ops/log"};
constexpr permission members_read{scope::admin, action::read, resource::fixed,
                                  "nacos/admin"};
constexpr permission spaces_read{scope::console, action::read, resource::fixed,
                                 "console/namespaces"};
constexpr permission spaces_write{scope::console, action::write,
                                  resource::fixed, "console/namespaces"};

/// Contents: what the listener takes at all. Encoding makes them three times as
/// long, and they have companions.
constexpr std::size_t publish_bytes_max =
    std::numeric_limits<std::size_t>::max();
/// 10,000 items with long names, encoded twice.
constexpr std::size_t listen_bytes_max = 16U << 20;

constexpr route table[] = {
    // config, v1 (2.1, 2.3)
    {method::get, "/v1/cs/configs", config_read, gate::client, &config_get_v1},
    {method::post, "/v1/cs/configs", config_write, gate::client,
     &config_publish_v1, publish_bytes_max},
    {method::del, "/v1/cs/configs", config_write, gate::client,
     &config_remove_v1},
    {method::post, "/v1/cs/configs/listener", config_read, gate::client,
     &config_listen_v1, listen_bytes_max, true},
    // config, v2 and v3 client (2.6, 2.7)
    {method::get, "/v2/cs/config", config_read, gate::admin, &config_get_v2},
    {method::post, "/v2/cs/config", config_write, gate::admin,
     &config_publish_v2, publish_bytes_max},
    {method::del, "/v2/cs/config", config_write, gate::admin,
     &config_remove_v2},
    {method::get, "/v3/client/cs/config", config_read, gate::none,
     &config_get_v3_client},

    // instances, v1 (3.1, 3.2)
    {method::post, "/v1/ns/instance", naming_write, gate::client,
     &instance_register_v1},
    {method::del, "/v1/ns/instance", naming_write, gate::client,
     &instance_remove_v1},
    {method::put, "/v1/ns/instance", naming_write, gate::admin,
     &instance_update_v1},
    {method::patch, "/v1/ns/instance", naming_write, gate::admin,
     &instance_patch_v1},
    {method::get, "/v1/ns/instance", naming_read, gate::admin,
     &instance_get_v1},
    {method::get, "/v1/ns/instance/list", naming_read, gate::client,
     &instance_list_v1},
    {method::put, "/v1/ns/instance/beat", naming_write, gate::client,
     &instance_beat_v1},
    {method::put, "/v1/ns/instance/metadata/batch", naming_write, gate::admin,
     &instance_metadata_put_v1},
    {method::del, "/v1/ns/instance/metadata/batch", naming_write, gate::admin,
     &instance_metadata_remove_v1},
    // instances, v2 (3.4)
    {method::post, "/v2/ns/instance", naming_write, gate::admin,
     &instance_register_v2},
    {method::put, "/v2/ns/instance", naming_write, gate::admin,
     &instance_update_v2},
    {method::patch, "/v2/ns/instance", naming_write, gate::admin,
     &instance_patch_v2},
    {method::del, "/v2/ns/instance", naming_write, gate::admin,
     &instance_remove_v2},
    {method::get, "/v2/ns/instance", naming_read, gate::admin,
     &instance_get_v2},
    {method::get, "/v2/ns/instance/list", naming_read, gate::admin,
     &instance_list_v2},
    {method::put, "/v2/ns/instance/beat", naming_write, gate::admin,
     &instance_beat_v2},
    {method::put, "/v2/ns/instance/metadata/batch", naming_write, gate::admin,
     &instance_metadata_put_v2},
    {method::del, "/v2/ns/instance/metadata/batch", naming_write, gate::admin,
     &instance_metadata_remove_v2},
    // instances, v3 client (3.5)
    {method::post, "/v3/client/ns/instance", naming_write, gate::none,
     &instance_register_v3},
    {method::del, "/v3/client/ns/instance", naming_write, gate::none,
     &instance_remove_v3},
    {method::get, "/v3/client/ns/instance/list", naming_read, gate::none,
     &instance_list_v3},

    // services (3.3, 3.4)
    {method::post, "/v1/ns/service", naming_write, gate::admin,
     &service_create_v1},
    {method::put, "/v1/ns/service", naming_write, gate::admin,
     &service_update_v1},
    {method::del, "/v1/ns/service", naming_write, gate::admin,
     &service_remove_v1},
    {method::get, "/v1/ns/service", naming_read, gate::admin, &service_get_v1},
    {method::get, "/v1/ns/service/list", naming_read, gate::client,
     &service_list_v1},
    {method::post, "/v2/ns/service", naming_write, gate::admin,
     &service_create_v2},
    {method::put, "/v2/ns/service", naming_write, gate::admin,
     &service_update_v2},
    {method::del, "/v2/ns/service", naming_write, gate::admin,
     &service_remove_v2},
    {method::get, "/v2/ns/service", naming_read, gate::admin, &service_get_v2},
    {method::get, "/v2/ns/service/list", naming_read, gate::admin,
     &service_list_v2},
    {method::get, "/v1/ns/operator/metrics", nobody_asked, gate::client,
     &naming_metrics_v1},
    {method::get, "/v1/ns/ops/metrics", nobody_asked, gate::client,
     &naming_metrics_v1},
    {method::get, "/v2/ns/operator/metrics", nobody_asked, gate::admin,
     &naming_metrics_v2},
    {method::get, "/v2/ns/ops/metrics", nobody_asked, gate::admin,
     &naming_metrics_v2},
    {method::get, "/v1/ns/health/server", nobody_asked, gate::admin,
     &naming_health_v1},

    // namespaces (4)
    {method::get, "/v1/console/namespaces", nobody_asked, gate::console,
     &namespace_get_v1},
    {method::post, "/v1/console/namespaces", spaces_write, gate::console,
     &namespace_create_v1},
    {method::put, "/v1/console/namespaces", spaces_write, gate::console,
     &namespace_update_v1},
    {method::del, "/v1/console/namespaces", spaces_write, gate::console,
     &namespace_remove_v1},
    {method::get, "/v2/console/namespace/list", nobody_asked, gate::console,
     &namespace_list_v2},
    {method::get, "/v2/console/namespace", spaces_read, gate::console,
     &namespace_get_v2},
    {method::post, "/v2/console/namespace", spaces_write, gate::console,
     &namespace_create_v2},
    {method::put, "/v2/console/namespace", spaces_write, gate::console,
     &namespace_update_v2},
    {method::del, "/v2/console/namespace", spaces_write, gate::console,
     &namespace_remove_v2},

    // members (5)
    {method::get, "/v1/core/cluster/self", members_read, gate::admin,
     &member_self_v1},
    {method::get, "/v1/core/cluster/nodes", members_read, gate::console,
     &member_list_v1},
    {method::get, "/v1/core/cluster/simple/nodes", members_read, gate::admin,
     &member_addresses_v1},
    {method::get, "/v1/core/cluster/health", members_read, gate::admin,
     &member_health_v1},
    {method::get, "/v2/core/cluster/node/self", members_read, gate::admin,
     &member_self},
    {method::get, "/v2/core/cluster/node/self/health", members_read,
     gate::admin, &member_health},
    {method::get, "/v2/core/cluster/node/list", members_read, gate::admin,
     &member_list},
    {method::get, "/v3/admin/core/cluster/node/self", members_read, gate::none,
     &member_self},
    {method::get, "/v3/admin/core/cluster/node/list", members_read, gate::none,
     &member_list},
    {method::get, "/v3/console/core/cluster/nodes", members_read, gate::none,
     &member_list_console},

    // state, health, login (5, 6.1, 7)
    {method::get, "/v1/console/server/state", nobody_asked, gate::console,
     &state_plain},
    {method::get, "/v3/console/server/state", nobody_asked, gate::none,
     &state_console},
    {method::get, "/v3/admin/core/state", nobody_asked, gate::none,
     &state_admin},
    {method::get, "/v1/console/health/liveness", nobody_asked, gate::console,
     &liveness_v1},
    {method::get, "/v1/console/health/readiness", nobody_asked, gate::console,
     &readiness_v1},
    {method::get, "/v2/console/health/liveness", nobody_asked, gate::console,
     &liveness_envelope},
    {method::get, "/v2/console/health/readiness", nobody_asked, gate::console,
     &readiness_v2},
    {method::get, "/v3/console/health/liveness", nobody_asked, gate::none,
     &liveness_console},
    {method::get, "/v3/console/health/readiness", nobody_asked, gate::none,
     &readiness_console},
    {method::get, "/v3/admin/core/state/liveness", nobody_asked, gate::none,
     &liveness_envelope},
    {method::get, "/v3/admin/core/state/readiness", nobody_asked, gate::none,
     &readiness_admin},
    // The maintainer client asks these (5).
    {method::get, "/v3/admin/core/ops/liveness", nobody_asked, gate::none,
     &liveness_envelope},
    {method::get, "/v3/admin/core/ops/readiness", nobody_asked, gate::none,
     &readiness_admin},
    {method::put, "/v3/admin/core/ops/log", server_write, gate::none,
     &log_level_admin},
    {method::post, "/v1/auth/login", nobody_asked, gate::client, &login},
    {method::post, "/v1/auth/users/login", nobody_asked, gate::client, &login},
    {method::post, "/v3/auth/user/login", nobody_asked, gate::none, &login},

    // metrics (8.6)
    {method::get, "/actuator/prometheus", nobody_asked, gate::none,
     &prometheus_text},
};

/// Paths of v1 naming whose methods or existence we do not know.
bool below_v1_naming(std::string_view path) noexcept {
  return path_below_context(path).starts_with("/v1/ns/");
}

/// With a slash at the end a known path is unknown, but not to the filter that
/// answers 501 (nacos-http 1.2).
bool known_but_for_slash(std::string_view path) noexcept {
  path = path_below_context(path);
  while (path.ends_with('/'))
    path.remove_suffix(1);
  for (const auto& row : table)
    if (row.pattern == path)
      return true;
  return false;
}

http::response no_such_api(const http::request& request) {
  return spring_error(request, 501,
                      "no such api:" + std::string{to_string(request.verb)}
                          + ':' + std::string{request.path});
}

/// OPTIONS: which methods there are; cross-origin use is not offered.
http::response options_reply(const http::request& request,
                             const std::string& allowed) {
  if (request.has_header("Origin")
      && request.has_header("Access-Control-Request-Method"))
    return text_reply(403, "Invalid CORS request");
  auto answer = text_reply(200, {});
  answer.headers.emplace_back("Allow", allowed + ", OPTIONS");
  return answer;
}

/// Nacos names HEAD to OPTIONS only.
std::string without_head(std::string_view allowed) {
  constexpr std::string_view head = ", HEAD";
  std::string out{allowed};
  if (const auto at = out.find(head); at != std::string::npos)
    out.erase(at, head.size());
  return out;
}

http::response wrong_method(const common::refusal& why,
                            const http::request& request) {
  if (request.verb == method::options)
    return options_reply(request, why.allow);
  if (below_v1_naming(request.path))
    return no_such_api(request);
  auto answer = spring_error(request, 405,
                             "Method '" + std::string{to_string(request.verb)}
                                 + "' is not supported.");
  answer.headers.emplace_back("Allow", without_head(why.allow));
  return answer;
}

/// The message of a closed gate is a text that holds an envelope (1.12).
http::response switched_off(const common::refusal& why,
                            const http::request& request) {
  std::string message = R"({"code":40000,"message":")";
  message += "Current API will be deprecated, please use the v3 API(s) instead"
             " or switch it on: ";
  message += why.detail;
  message += R"(","data":null})";
  return spring_error(request, 410, message);
}

} // namespace

response no_endpoint(const http::request& request) {
  return spring_error(request, 404,
                      "No endpoint " + std::string{to_string(request.verb)}
                          + ' ' + std::string{request.path} + '.');
}

http::response refuse_request(const common::refusal& why,
                              const http::request& request) {
  switch (why.kind) {
  case common::refusal_kind::not_found:
    return below_v1_naming(request.path) && !known_but_for_slash(request.path)
               ? no_such_api(request)
               : no_endpoint(request);
  case common::refusal_kind::wrong_method:
    return wrong_method(why, request);
  case common::refusal_kind::switched_off:
    return switched_off(why, request);
  case common::refusal_kind::forbidden:
    return spring_error(request, 403,
                        "Code: 403, Message: " + why.detail + '.');
  default:
    return spring_error(request, common::status_of(why.kind), why.detail);
  }
}

std::span<const common::route> http_routes() noexcept {
  return table;
}

common::product http_product(std::shared_ptr<const http_parts> parts) {
  return {"nacos", "/nacos", http_routes(), &refuse_request, std::move(parts)};
}

} // namespace muster::nacos
