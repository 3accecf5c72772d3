#include "protocols/common/json.hpp"
#include "protocols/common/json_out.hpp"
#include "protocols/common/render_slots.hpp"
#include "protocols/nacos/codec/instance_json.hpp"
#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/http/handlers.hpp"
#include "protocols/nacos/http/read.hpp"
#include "protocols/nacos/udp/agent.hpp"
#include "protocols/nacos/udp/pusher.hpp"

/// Instances: register, remove, look up, list, beat (nacos-http 3.1, 3.2, 3.4,
/// 3.5).
namespace muster::nacos {

namespace {

namespace slot = common::service_slot;
using common::json_out;

constexpr std::string_view ok_text = "ok";
constexpr std::string_view ok_json = R"("ok")";

constexpr list_form v2_list{true, false};

family family_of(naming_names how) noexcept {
  return how == naming_names::v1 ? family::naming_v1 : family::envelope;
}

/// `ok` in the version's form, or the error.
response ok_or_error(context& c, naming_names how, const or_error<void>& done) {
  if (!done)
    return error_reply(family_of(how), c.request, done.error());
  return how == naming_names::v1 ? text_reply(200, std::string{ok_text})
                                 : envelope(ok_json);
}

awaitable<or_error<void>> do_register(context& c, naming_names how) {
  auto key = read_service_key(c, how);
  if (!key)
    co_return refuse(std::move(key.error()));
  auto instance = read_instance(c, how);
  if (!instance)
    co_return refuse(std::move(instance.error()));
  co_return co_await register_instance(c, std::move(*key),
                                       std::move(*instance));
}

awaitable<or_error<void>> do_remove(context& c, naming_names how) {
  auto key = read_service_key(c, how);
  if (!key)
    co_return refuse(std::move(key.error()));
  const auto place = read_place(c.request, how);
  if (!place)
    co_return refuse(place.error());
  co_return co_await remove_instance(c, std::move(*key), place->ip, place->port,
                                     read_ephemeral(c.request));
}

/// One instance as the detail calls show it; v1 calls its service `service`.
void write_detail(json_out& out, const naming::instance& shown,
                  const service_key& key, std::string_view service_member) {
  out.object()
      .member(service_member, grouped_name(key))
      .member("ip", shown.ip)
      .member("port", shown.port)
      .member("clusterName", shown.cluster)
      .member("weight", shown.weight)
      .member("healthy", shown.healthy)
      .member("instanceId", shown.instance_id)
      .key("metadata");
  write_metadata(out, shown.metadata);
  out.end();
}

or_error<std::string> do_get(context& c, naming_names how,
                             std::string_view service_member) {
  const auto key = read_service_key(c, how);
  if (!key)
    return refuse(key.error());
  const auto place = read_place(c.request, how);
  if (!place)
    return refuse(place.error());
  const auto view = view_of(c, key->view());
  const auto host =
      find_host(view.get(), *key, place->ip, place->port, place->cluster);
  if (!host)
    return refuse(host.error());
  std::string body;
  json_out out(body);
  write_detail(out, *(*host)->shown, *key, service_member);
  return body;
}

naming::selection selection_of(const common::params& params,
                               std::string_view clusters_name) {
  return {trim(params.get(clusters_name)), truth(params.get("healthyOnly")),
          false};
}

/// ServiceInfo of a service, known or not.
std::string list_json(context& c, const key_view& key,
                      const naming::service_view* view,
                      const naming::selection& wanted, const list_form& form) {
  std::string body;
  json_out out(body);
  if (view)
    write_service_info(out, *view, wanted, form);
  else
    write_empty_service_info(out, key, wanted.clusters,
                             to_unix_ms(c.node.time().wall()), form);
  return body;
}

/// The usual list, all clusters, is rendered once per view.
response cached_list(const naming::service_view& view) {
  if (auto kept = view.rendered.find(slot::http_list))
    return http::reply(std::move(kept));
  std::string body;
  json_out out(body);
  write_service_info(out, view, {}, list_form_v1);
  return http::reply(view.rendered.keep(
      slot::http_list, http::render(json_reply(std::move(body)))));
}

/// A poll that names a UDP port is told of changes until the next one. `told`
/// is the view that this poll is answered with.
void push_from_now_on(context& c, const key_view& key,
                      std::string_view clusters,
                      const naming::service_view* told) {
  const auto& request = c.request;
  const auto port = trim(request.params().get("udpPort"));
  auto* const pushes = parts_of(c).pushes;
  if (port.empty() || !pushes)
    return;
  auto agent = request.header("User-Agent");
  if (trim(agent).empty())
    agent = request.header("Client-Version");
  const auto target = udp::push_target(request, port);
  if (target && udp::takes_pushes(agent))
    pushes->subscribe(to_key(key), std::string{clusters}, *target,
                      told ? told->version : 0);
}

response beat_reply(const api::beat_answer& answer) {
  std::string body;
  json_out(body)
      .object()
      .member("clientBeatInterval", answer.interval.count())
      .member("code", answer.known ? 10200 : 20404)
      .member("lightBeatEnabled", true)
      .end();
  return json_reply(std::move(body));
}

/// The instance that a full beat carries; nothing for a light one. Broken JSON
/// is answered as Java answers it, 500 in the framework's form (3.2).
or_error<std::optional<naming::instance>> read_full_beat(const context& c) {
  const auto& request = c.request;
  const auto text = trim(request.params().get("beat"));
  if (text.empty())
    return std::nullopt;
  const auto broken = [](std::string why) {
    return refuse({500, wire_code::server_error,
                   "Server failed, caused: beat: " + std::move(why) + ';',
                   api_error::form::spring});
  };
  const auto value = common::parse_json(text);
  if (!value)
    return broken(value.error().message);
  if (!value->is_object())
    return broken("not a JSON object");
  auto instance = parse_instance(value->get_object());
  if (!instance)
    return broken(instance.error().message);
  instance->ephemeral = true;
  instance->healthy = true;
  instance->instance_id.clear();
  checked_names names;
  names.cluster = instance->cluster;
  names.ip = instance->ip;
  if (auto fault = check_names(names, parts_of(c).rules))
    return refuse(illegal_name(std::move(*fault)));
  if (auto fault = check_metadata(instance->metadata, parts_of(c).rules))
    return refuse(illegal_name(std::move(*fault)));
  return std::optional{std::move(*instance)};
}

awaitable<response> do_beat(context& c, naming_names how) {
  const auto& request = c.request;
  const auto of = family_of(how);
  auto key = read_service_key(c, how);
  if (!key)
    co_return error_reply(of, request, key.error());
  auto full = read_full_beat(c);
  if (!full)
    co_return error_reply(of, request, full.error());
  // A light beat without an address is one of an unknown instance.
  std::string ip{full->has_value() ? std::string_view{(*full)->ip}
                                   : trim(request.params().get("ip"))};
  const auto port =
      full->has_value()
          ? (*full)->port
          : parse_number<std::uint16_t>(trim(request.params().get("port")))
                .value_or(0);
  if (ip.empty())
    co_return beat_reply({});
  const auto answer =
      co_await beat(c, std::move(*key), ip, port, std::move(*full));
  if (!answer)
    co_return error_reply(of, request, answer.error());
  co_return beat_reply(*answer);
}

} // namespace

awaitable<response> instance_register_v1(context& c) {
  const auto done = co_await do_register(c, naming_names::v1);
  co_return ok_or_error(c, naming_names::v1, done);
}

awaitable<response> instance_register_v2(context& c) {
  const auto done = co_await do_register(c, naming_names::v2);
  co_return ok_or_error(c, naming_names::v2, done);
}

awaitable<response> instance_register_v3(context& c) {
  constexpr auto how = naming_names::v3;
  if (!truth(c.request.params().get("heartBeat"))) {
    const auto done = co_await do_register(c, how);
    co_return ok_or_error(c, how, done);
  }
  auto key = read_service_key(c, how);
  if (!key)
    co_return error_reply(family::envelope, c.request, key.error());
  const auto place = read_place(c.request, how);
  if (!place)
    co_return error_reply(family::envelope, c.request, place.error());
  const auto answer =
      co_await beat(c, std::move(*key), place->ip, place->port, std::nullopt);
  if (!answer)
    co_return error_reply(family::envelope, c.request, answer.error());
  co_return answer->known ? envelope(ok_json)
                          : soft_error(wire_code::instance_not_found);
}

awaitable<response> instance_remove_v1(context& c) {
  const auto done = co_await do_remove(c, naming_names::v1);
  co_return ok_or_error(c, naming_names::v1, done);
}

awaitable<response> instance_remove_v2(context& c) {
  const auto done = co_await do_remove(c, naming_names::v2);
  co_return ok_or_error(c, naming_names::v2, done);
}

awaitable<response> instance_remove_v3(context& c) {
  const auto done = co_await do_remove(c, naming_names::v3);
  co_return ok_or_error(c, naming_names::v3, done);
}

awaitable<response> instance_get_v1(context& c) {
  auto body = do_get(c, naming_names::v1, "service");
  co_return body ? json_reply(std::move(*body))
                 : error_reply(family::naming_v1, c.request, body.error());
}

awaitable<response> instance_get_v2(context& c) {
  const auto body = do_get(c, naming_names::v2_argument, "serviceName");
  co_return body ? envelope(*body)
                 : error_reply(family::envelope, c.request, body.error());
}

awaitable<response> instance_list_v1(context& c) {
  const auto key = read_service_view(c, naming_names::v1);
  if (!key)
    co_return error_reply(family::naming_v1, c.request, key.error());
  const auto wanted = selection_of(c.request.params(), "clusters");
  const auto view = view_of(c, *key);
  push_from_now_on(c, *key, wanted.clusters, view.get());
  if (view && wanted.clusters.empty() && !wanted.healthy_only)
    co_return cached_list(*view);
  co_return json_reply(list_json(c, *key, view.get(), wanted, list_form_v1));
}

awaitable<response> instance_list_v2(context& c) {
  const auto key = read_service_view(c, naming_names::v2_argument);
  if (!key)
    co_return error_reply(family::envelope, c.request, key.error());
  const auto wanted = selection_of(c.request.params(), "clusterName");
  const auto view = view_of(c, *key);
  push_from_now_on(c, *key, wanted.clusters, view.get());
  co_return envelope(list_json(c, *key, view.get(), wanted, v2_list));
}

awaitable<response> instance_list_v3(context& c) {
  const auto key = read_service_view(c, naming_names::v3);
  if (!key)
    co_return error_reply(family::envelope, c.request, key.error());
  const auto view = view_of(c, *key);
  std::string body;
  json_out out(body);
  out.array();
  if (view) {
    const auto wanted = selection_of(c.request.params(), "clusterName");
    const auto chosen = naming::select(*view, wanted);
    for (const auto& host : chosen.hosts)
      write_instance(out, *host->shown, grouped_name(key->group, key->name),
                     chosen.protect);
  }
  out.end();
  co_return envelope(body);
}

awaitable<response> instance_beat_v1(context& c) {
  co_return co_await do_beat(c, naming_names::v1);
}

awaitable<response> instance_beat_v2(context& c) {
  co_return co_await do_beat(c, naming_names::v2_grouped);
}

} // namespace muster::nacos
