#include "protocols/nacos/http/calls.hpp"

#include <algorithm>

#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/codec/naming_command.hpp"

namespace muster::nacos {

using common::ask;

namespace {

std::string_view kind_word(bool ephemeral) noexcept {
  return ephemeral ? "ephemeral" : "persistent";
}

/// What Java says to an instance of the other kind (nacos-http 9.5).
api_error other_kind(const service_key& key, bool ephemeral) {
  std::string text = "errCode: 400, errMsg: Current service ";
  text += grouped_name(key);
  text += " is ";
  text += kind_word(!ephemeral);
  text += " service, can't register ";
  text += kind_word(ephemeral);
  text += " instance. ";
  return {400, wire_code::server_error, std::move(text)};
}

api_error registration_error(const error& e, const service_key& key,
                             bool ephemeral) {
  if (e.code == errc::failed_precondition)
    return other_kind(key, ephemeral);
  auto mapped = to_api_error(e);
  if (e.code == errc::invalid_argument)
    mapped.code = wire_code::instance_error;
  return mapped;
}

const naming::hosted_instance* find_at(const naming::service_view& view,
                                       std::string_view ip, std::uint16_t port,
                                       bool ephemeral) noexcept {
  const auto it = std::ranges::find_if(view.hosts, [&](const auto& host) {
    return host->shown->ip == ip && host->shown->port == port
           && host->shown->ephemeral == ephemeral;
  });
  return it == view.hosts.end() ? nullptr : it->get();
}

} // namespace

const http_parts& parts_of(const common::context& c) noexcept {
  static const http_parts none;
  return c.parts ? static_cast<const http_parts&>(*c.parts) : none;
}

naming::service_view_ptr view_of(context& c, const key_view& key) {
  const auto slot = c.node.services().find(key);
  return slot ? slot->view() : nullptr;
}

bool exists(const naming::service_view* view) noexcept {
  return view && view->kind_fixed;
}

pb::Command stamped(context& c) {
  pb::Command command;
  command.set_time_ms(to_unix_ms(c.node.time().wall()));
  return command;
}

awaitable<or_error<void>> register_instance(context& c, service_key key,
                                            naming::instance instance) {
  if (!instance.ephemeral) {
    auto command = stamped(c);
    auto& put = *command.mutable_instance_put();
    set_key(*put.mutable_key(), key);
    fill_record(*put.mutable_record(), instance);
    const auto stored = co_await common::change_service(
        asker_of(c), key, share(std::move(command)));
    if (!stored)
      co_return refuse(registration_error(stored.error(), key, false));
    co_return or_error<void>{};
  }
  auto client_id = http_client_id(instance.ip, instance.port, true);
  const auto shared =
      std::make_shared<const naming::instance>(std::move(instance));
  const auto make = [&] {
    return api::publish_instances{c.request.meta, client_id, {}, {shared}};
  };
  const auto done = co_await common::ask_service(asker_of(c), key, make);
  if (!done)
    co_return refuse(registration_error(done.error(), key, true));
  co_return or_error<void>{};
}

awaitable<or_error<void>> remove_instance(context& c, service_key key,
                                          std::string_view ip,
                                          std::uint16_t port, bool ephemeral) {
  const auto slot = c.node.services().find(key.view());
  if (!slot)
    co_return or_error<void>{};
  if (ephemeral) {
    api::retract_instances retract{c.request.meta,
                                   http_client_id(ip, port, true)};
    const auto done = co_await ask(slot->actor(), std::move(retract));
    if (!done)
      co_return refuse(to_api_error(done.error()));
    co_return or_error<void>{};
  }
  if (!find_at(*slot->view(), ip, port, false))
    co_return or_error<void>{};
  auto command = stamped(c);
  auto& remove = *command.mutable_instance_remove();
  set_key(*remove.mutable_key(), key);
  remove.set_ip(std::string{ip});
  remove.set_port(port);
  const auto done = co_await common::change_service(asker_of(c), key,
                                                    share(std::move(command)));
  if (!done && done.error().code != errc::not_found)
    co_return refuse(to_api_error(done.error()));
  co_return or_error<void>{};
}

awaitable<or_error<api::beat_answer>>
beat(context& c, service_key key, std::string_view ip, std::uint16_t port,
     std::optional<naming::instance> full) {
  const auto slot = c.node.services().find(key.view());
  if (!slot && !full)
    co_return api::beat_answer{};
  const auto client_id = http_client_id(ip, port, true);
  auto shared = full
                    ? std::make_shared<const naming::instance>(std::move(*full))
                    : nullptr;
  const auto make = [&] {
    return api::beat_instance{c.request.meta, client_id, shared};
  };
  result<api::beat_answer> answer;
  if (shared)
    answer = co_await common::ask_service(asker_of(c), key, make);
  else
    answer = co_await ask(slot->actor(), make());
  if (!answer)
    co_return refuse(registration_error(answer.error(), key, true));
  co_return *answer;
}

or_error<naming::hosted_ptr> find_host(const naming::service_view* view,
                                       const service_key& key,
                                       std::string_view ip, std::uint16_t port,
                                       std::string_view cluster) {
  if (!view || view->hosts.empty())
    return refuse({404, wire_code::resource_not_found,
                   "no ips found for cluster " + std::string{cluster}
                       + " in service " + grouped_name(key)});
  for (const auto& host : view->hosts)
    if (host->shown->ip == ip && host->shown->port == port
        && host->shown->cluster == cluster)
      return host;
  return refuse({404, wire_code::resource_not_found, "no matched ip found!"});
}

} // namespace muster::nacos
