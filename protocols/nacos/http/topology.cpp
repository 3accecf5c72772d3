#include "protocols/nacos/http/topology.hpp"

#include <cmath>

#include "actors/core/base/host_port.hpp"
#include "protocols/common/json_out.hpp"
#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/http/calls.hpp"
#include "protocols/nacos/http/read.hpp"
#include "protocols/nacos/http/routes.hpp"
#include "protocols/nacos/http/times.hpp"

/// Clients' streams: who is connected, how many each member has, and sending
/// them to other members (nacos-http 5, nacos-grpc 5).
namespace muster::nacos {

namespace {

using common::ask;
using common::json_out;
using http::response;

const topology_parts& topology_of(const context& c) noexcept {
  return static_cast<const topology_parts&>(*c.parts);
}

constexpr std::string_view usual_factor = "0.1";

/// What was said at the set-up, in three places.
void write_labels(json_out& out, const api::client_info& info) {
  out.key("labels").object();
  for (const auto& [name, value] : info.labels)
    out.member(name, value);
  out.end();
  out.key("appLabels")
      .object()
      .member("ClientVersion", info.version)
      .member("AppName", info.app)
      .end();
}

/// Namespace, tag and TLS of a stream are not known.
void write(json_out& out, const api::client_row& row) {
  const auto& info = row.info;
  const auto port = parse_number<std::uint16_t>(row.remote_port);
  out.key(info.connection_id).object();
  out.key("metaInfo")
      .object()
      .member("connectType", "GRPC")
      .member("clientIp", info.client_ip)
      .member("remoteIp", info.remote_address)
      .member("remotePort", port.value_or(0))
      .member("localPort", row.local_port)
      .member("version", info.version)
      .member("connectionId", info.connection_id)
      .member("createTime", iso_time(row.since))
      .member("lastActiveTime", to_unix_ms(row.active))
      .member("appName", info.app)
      .member("clusterSource", api::is_server(info))
      .member("sdkSource", !api::is_server(info));
  write_labels(out, info);
  out.end().member("traced", false).member("connected", true);
  out.key("abilityTable").object().end();
  write_labels(out, info);
  out.end();
}

std::string current_json(const context& c) {
  std::string body;
  json_out out(body);
  out.object();
  if (const auto clients = topology_of(c).clients())
    for (const auto& row : clients->rows())
      write(out, row);
  out.end();
  return body;
}

/// Numbers are texts in v2, where all but the address is one level deeper.
void write_v2(json_out& out, const api::node_load& row) {
  out.object().member("address", row.address);
  out.key("metric")
      .object()
      .member("load", std::to_string(row.load))
      .member("sdkConCount", std::to_string(row.sdks))
      .member("cpu", std::to_string(row.cpu))
      .member("conCount", std::to_string(row.connections))
      .end()
      .end();
}

void write_v3(json_out& out, const api::node_load& row) {
  out.object()
      .member("address", row.address)
      .member("sdkConCount", row.sdks)
      .member("conCount", row.connections)
      .member("load", std::to_string(row.load))
      .member("cpu", std::to_string(row.cpu))
      .end();
}

/// From how many SDKs on Nacos calls a node full.
double threshold_of(const cluster::load_figures& figures) {
  return static_cast<double>(figures.average) * 1.1;
}

void write_figures(json_out& out, const api::load_survey& survey,
                   const cluster::load_figures& figures) {
  out.member("memberCount", survey.members)
      .member("metricsCount", survey.rows.size())
      .member("completed", survey.rows.size() == survey.members)
      .member("max", figures.max)
      .member("min", figures.min)
      .member("avg", figures.average)
      .member("total", figures.total);
}

awaitable<result<std::string>> survey_json(context& c, bool v2) {
  api::survey_loads question{c.request.meta};
  const auto survey =
      co_await ask(topology_of(c).balancer(), std::move(question));
  if (!survey)
    co_return std::unexpected(survey.error());
  const auto figures = cluster::figures_of(survey->rows);
  std::string body;
  json_out out(body);
  out.object();
  out.key("detail").array();
  for (const auto& row : survey->rows)
    v2 ? write_v2(out, row) : write_v3(out, row);
  out.end();
  write_figures(out, *survey, figures);
  out.key("threshold");
  if (v2)
    out.value(threshold_of(figures));
  else {
    std::string text;
    json_out(text).value(threshold_of(figures));
    out.value(text);
  }
  out.end();
  co_return body;
}

/// `redirectAddress`: blank, or host and port.
or_error<std::string_view> read_target(const context& c) {
  const auto text = trim(c.request.params().get("redirectAddress"));
  if (text.empty())
    return text;
  if (!parse_host_port(text))
    return refuse(invalid("redirectAddress is to be ip:port"));
  return text;
}

or_error<void> shed(context& c) {
  const auto text = need(c.request.params(), "count", [](auto name) {
    return missing_argument(name, "Integer");
  });
  if (!text)
    return refuse(text.error());
  const auto count = parse_number<std::int32_t>(trim(*text));
  if (!count)
    return refuse(not_a_number(*text));
  if (*count < 0)
    return refuse(invalid("count is how many connections stay"));
  const auto target = read_target(c);
  if (!target)
    return refuse(target.error());
  std::vector<std::string> targets;
  if (!target->empty())
    targets.emplace_back(*target);
  if (const auto clients = topology_of(c).clients())
    clients->shed(static_cast<std::size_t>(*count), targets);
  return {};
}

/// An unknown connection is none to move: that is no error to Nacos either.
or_error<void> reset(context& c) {
  const auto id = need(c.request.params(), "connectionId",
                       [](auto name) { return missing_argument(name); });
  if (!id)
    return refuse(id.error());
  const auto target = read_target(c);
  if (!target)
    return refuse(target.error());
  if (const auto clients = topology_of(c).clients())
    clients->reset(*id, *target);
  return {};
}

/// Nacos calls the parameter so in one version, and otherwise in its client.
or_error<double> read_factor(const context& c) {
  const auto& params = c.request.params();
  auto text = trim(params.get("loaderFactor"));
  if (text.empty())
    text = trim(params.get("loaderFactorStr"));
  const auto factor = read_number(text.empty() ? usual_factor : text);
  if (!factor)
    return refuse(factor.error());
  if (!std::isfinite(*factor) || *factor < 0 || *factor > 1)
    return refuse(invalid("loaderFactor is to be within 0 and 1"));
  return *factor;
}

awaitable<result<void>> balance(context& c, double factor) {
  api::balance_clients order{c.request.meta, factor};
  const auto done = co_await ask(topology_of(c).balancer(), std::move(order));
  if (!done)
    co_return std::unexpected(done.error());
  co_return result<void>{};
}

response refused(context& c, const api_error& why) {
  return error_reply(family::envelope, c.request, why);
}

response v2_reply(context& c, const or_error<void>& done) {
  return done ? text_reply(200, "success") : refused(c, done.error());
}

response v3_reply(context& c, const or_error<void>& done) {
  return done ? envelope("null") : refused(c, done.error());
}

awaitable<response> get_current_v2(context& c) {
  co_return json_reply(current_json(c));
}

awaitable<response> get_current(context& c) {
  co_return envelope(current_json(c));
}

awaitable<response> get_cluster_v2(context& c) {
  auto body = co_await survey_json(c, true);
  co_return body ? json_reply(std::move(*body))
                 : refused(c, to_api_error(body.error()));
}

awaitable<response> get_cluster(context& c) {
  const auto body = co_await survey_json(c, false);
  co_return body ? envelope(*body) : refused(c, to_api_error(body.error()));
}

awaitable<response> reload_current_v2(context& c) {
  co_return v2_reply(c, shed(c));
}

awaitable<response> reload_current(context& c) {
  co_return v3_reply(c, shed(c));
}

awaitable<response> reload_client_v2(context& c) {
  co_return v2_reply(c, reset(c));
}

awaitable<response> reload_client(context& c) {
  co_return v3_reply(c, reset(c));
}

awaitable<response> balance_cluster_v2(context& c) {
  const auto factor = read_factor(c);
  if (!factor)
    co_return refused(c, factor.error());
  const auto done = co_await balance(c, *factor);
  co_return text_reply(200, done ? "Ok" : "Fail");
}

awaitable<response> balance_cluster(context& c) {
  const auto factor = read_factor(c);
  if (!factor)
    co_return refused(c, factor.error());
  const auto done = co_await balance(c, *factor);
  co_return done ? envelope("null") : refused(c, to_api_error(done.error()));
}

using common::action;
using common::gate;
using common::permission;
using common::resource;
using common::scope;
using http::method;

constexpr permission streams_read{scope::admin, action::read, resource::fixed,
                                  "nacos/admin"};
constexpr permission streams_write{scope::admin, action::write, resource::fixed,
                                   "nacos/admin"};

constexpr common::route table[] = {
    {method::get, "/v2/core/loader/current", streams_read, gate::admin,
     &get_current_v2},
    {method::get, "/v2/core/loader/cluster", streams_read, gate::admin,
     &get_cluster_v2},
    {method::get, "/v2/core/loader/reloadCurrent", streams_write, gate::admin,
     &reload_current_v2},
    {method::get, "/v2/core/loader/reloadClient", streams_write, gate::admin,
     &reload_client_v2},
    {method::get, "/v2/core/loader/smartReloadCluster", streams_write,
     gate::admin, &balance_cluster_v2},
    {method::get, "/v3/admin/core/loader/current", streams_read, gate::none,
     &get_current},
    {method::get, "/v3/admin/core/loader/cluster", streams_read, gate::none,
     &get_cluster},
    {method::post, "/v3/admin/core/loader/reloadCurrent", streams_write,
     gate::none, &reload_current},
    {method::post, "/v3/admin/core/loader/reloadClient", streams_write,
     gate::none, &reload_client},
    {method::post, "/v3/admin/core/loader/smartReloadCluster", streams_write,
     gate::none, &balance_cluster},
};

} // namespace

common::product topology_product(std::shared_ptr<const topology_parts> parts) {
  return {"nacos", "/nacos", table, &refuse_request, std::move(parts)};
}

} // namespace muster::nacos
