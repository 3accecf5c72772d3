#include <array>

#include "protocols/common/json_out.hpp"
#include "protocols/common/metrics.hpp"
#include "protocols/nacos/http/handlers.hpp"
#include "protocols/nacos/http/read.hpp"

/// State, health and login (nacos-http 5, 6.1, 7).
namespace muster::nacos {

namespace {

using common::json_out;

/// Clients and consoles parse it, so it is Nacos' and not ours.
constexpr std::string_view nacos_version = "3.1.0";

constexpr std::string_view console_policy = "script-src 'self'";
constexpr std::string_view ok_json = R"("ok")";

/// Settings that no request changes and that this node does not vary.
constexpr std::array<std::pair<std::string_view, std::string_view>, 17>
    fixed_state{{
        {"auth_system_type", "nacos"},
        {"auth_enabled", "false"},
        {"auth_admin_request", "false"},
        {"login_page_enabled", "false"},
        {"console_ui_enabled", "false"},
        {"datasource_platform", ""},
        {"plugin_datasource_log_enabled", "false"},
        {"isManageCapacity", "true"},
        {"isCapacityLimitCheck", "false"},
        {"defaultClusterQuota", "100000"},
        {"defaultGroupQuota", "200"},
        {"defaultMaxSize", "102400"},
        {"defaultMaxAggrCount", "10000"},
        {"defaultMaxAggrSize", "1024"},
        {"maxHealthCheckFailCount", "12"},
        {"isHealthCheck", "true"},
        {"notifyConnectTimeout", "100"},
    }};

std::string state_json(const context& c) {
  const auto& facts = c.node.facts();
  const auto& parts = parts_of(c);
  std::string body;
  json_out out(body);
  out.object()
      .member("version", nacos_version)
      .member("startup_mode", facts.standalone ? "standalone" : "cluster")
      .member("function_mode", nullptr)
      .member("server_port", std::to_string(facts.http_port))
      .member("notifySocketTimeout", "200")
      .member("config_retention_days", std::to_string(parts.retention_days))
      .member("maxContent", std::to_string(parts.rules.content_length_max))
      .member("muster_version", facts.version);
  for (const auto& [name, value] : fixed_state)
    out.member(name, value);
  out.end();
  return body;
}

bool ready(context& c) noexcept {
  return c.node.state() == api::node_state::serving;
}

/// What is said while the node does not serve (9.8).
constexpr std::string_view not_ready_text = "server is not ready";

api_error not_ready(unsigned status) {
  return {status, wire_code::server_error, std::string{not_ready_text}};
}

response with_policy(response answer) {
  answer.headers.emplace_back("Content-Security-Policy", console_policy);
  return answer;
}

response ready_envelope(context& c) {
  return ready(c) ? envelope(ok_json)
                  : error_reply(family::envelope, c.request, not_ready(500));
}

/// `AUTH_DISABLED` for whoever asks: clients that are configured with a user
/// log in before they do anything else.
response login_reply(context& c) {
  constexpr std::string_view token = "AUTH_DISABLED";
  std::string body;
  json_out(body)
      .object()
      .member("accessToken", token)
      .member("tokenTtl", 18000)
      .member("globalAdmin", true)
      .member("username", c.request.params().get("username"))
      .end();
  auto answer = json_reply(std::move(body));
  answer.headers.emplace_back("Authorization", "Bearer " + std::string{token});
  return answer;
}

} // namespace

awaitable<response> state_plain(context& c) {
  co_return json_reply(state_json(c));
}

awaitable<response> state_console(context& c) {
  co_return with_policy(json_reply(state_json(c)));
}

awaitable<response> state_admin(context& c) {
  co_return envelope(state_json(c));
}

awaitable<response> liveness_v1(context&) {
  co_return text_reply(200, "OK");
}

awaitable<response> readiness_v1(context& c) {
  co_return ready(c) ? text_reply(200, "OK")
                     : text_reply(500, std::string{not_ready_text});
}

awaitable<response> liveness_envelope(context&) {
  co_return envelope(ok_json);
}

awaitable<response> readiness_v2(context& c) {
  co_return ready_envelope(c);
}

awaitable<response> readiness_admin(context& c) {
  // Java answers 200 with an error code here (5); who asks is a prober that
  // looks at the status.
  co_return ready_envelope(c);
}

awaitable<response> liveness_console(context&) {
  co_return with_policy(envelope(ok_json));
}

awaitable<response> readiness_console(context& c) {
  co_return with_policy(ready_envelope(c));
}

awaitable<response> login(context& c) {
  const auto& params = c.request.params();
  for (const auto* name : {"username", "password"})
    if (const auto value = need(params, name, &missing_servlet, blanks::count);
        !value)
      co_return error_reply(family::console_v1, c.request, value.error());
  co_return login_reply(c);
}

awaitable<response> prometheus_text(context& c) {
  if (!c.metrics)
    co_return no_endpoint(c.request);
  co_return http::reply(200, "text/plain;version=0.0.4;charset=utf-8",
                        c.metrics->text());
}

} // namespace muster::nacos
