#include <algorithm>
#include <array>
#include <functional>

#include "protocols/common/json_out.hpp"
#include "protocols/nacos/http/handlers.hpp"
#include "protocols/nacos/http/read.hpp"

/// The members of the cluster, as this node sees them (nacos-http 5).
namespace muster::nacos {

namespace {

using api::member;
using common::json_out;

void write(json_out& out, const member& m) {
  const auto address = m.address();
  const auto changed =
      std::chrono::duration_cast<milliseconds>(m.changed.time_since_epoch());
  out.object()
      .member("ip", m.host)
      .member("port", m.http_port)
      .member("state", name_of(m.state));
  out.key("extendInfo")
      .object()
      .member("supportGrayModel", true)
      .member("lastRefreshTime", changed.count())
      .member("version", m.version)
      .member("raftPort", std::to_string(m.cluster_port))
      .member("readyToUpgrade", true);
  for (const auto& [name, value] :
       {std::pair{"datacenter", &m.datacenter}, std::pair{"region", &m.region},
        std::pair{"zone", &m.zone}})
    if (!value->empty())
      out.member(name, *value);
  out.end().member("address", address);
  out.key("abilities").object();
  out.key("remoteAbility")
      .object()
      .member("supportRemoteConnection", true)
      .member("grpcReportEnabled", true)
      .end();
  out.key("configAbility").object().member("supportRemoteMetrics", false).end();
  out.key("namingAbility").object().member("supportJraft", true).end();
  out.end().member("grpcReportEnabled", true);
  out.member("failAccessCnt", m.failures).end();
}

std::string self_json(const context& c) {
  std::string body;
  json_out out(body);
  write(out, c.node.members()->own());
  return body;
}

std::string list_json(const context& c,
                      const std::function<bool(const member&)>& wanted) {
  std::string body;
  json_out out(body);
  out.array();
  for (const auto& each : c.node.members()->all)
    if (wanted(each))
      write(out, each);
  out.end();
  return body;
}

/// Those whose address contains `keyword`.
std::string found_by(const context& c, std::string_view keyword) {
  return list_json(c, [&](const member& m) {
    return m.address().find(keyword) != std::string::npos;
  });
}

std::string quoted(std::string_view text) {
  std::string out;
  common::append_json_string(out, text);
  return out;
}

std::string_view own_state(const context& c) {
  return name_of(c.node.members()->own().state);
}

std::string upper(std::string_view text) {
  std::string out{text};
  std::ranges::transform(out, out.begin(), [](unsigned char each) {
    return static_cast<char>(std::toupper(each));
  });
  return out;
}

bool is_state(std::string_view text) {
  using enum api::member_state;
  return std::ranges::any_of(
      std::array{starting, up, suspicious, down, draining},
      [&](auto each) { return name_of(each) == text; });
}

} // namespace

awaitable<response> member_self_v1(context& c) {
  co_return rest_result(200, {}, self_json(c));
}

awaitable<response> member_list_v1(context& c) {
  co_return rest_result(200, {},
                        found_by(c, c.request.params().get("keyword")));
}

awaitable<response> member_addresses_v1(context& c) {
  std::string body;
  json_out out(body);
  out.array();
  for (const auto& each : c.node.members()->all)
    out.value(each.address());
  out.end();
  co_return rest_result(200, {}, body);
}

awaitable<response> member_health_v1(context& c) {
  co_return rest_result(200, {}, quoted(own_state(c)));
}

awaitable<response> member_self(context& c) {
  co_return envelope(self_json(c));
}

awaitable<response> member_health(context& c) {
  co_return envelope(quoted(own_state(c)));
}

awaitable<response> member_list(context& c) {
  const auto address = c.request.params().get("address");
  const auto state = c.request.params().get("state");
  const auto wanted = upper(state);
  if (!state.empty() && !is_state(wanted))
    co_return error_reply(family::envelope, c.request,
                          {400, wire_code::illegal_state,
                           "Illegal state: " + std::string{state}});
  co_return envelope(list_json(c, [&](const member& m) {
    return m.address().starts_with(address)
           && (wanted.empty() || name_of(m.state) == wanted);
  }));
}

awaitable<response> member_list_console(context& c) {
  co_return envelope(found_by(c, c.request.params().get("keyword")));
}

} // namespace muster::nacos
