#include <algorithm>

#include <expected>

#include "protocols/common/json_out.hpp"
#include "protocols/nacos/codec/instance_json.hpp"
#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/codec/naming_command.hpp"
#include "protocols/nacos/grpc/handlers.hpp"
#include "protocols/nacos/grpc/instance_request.hpp"
#include "protocols/nacos/grpc/members.hpp"
#include "protocols/nacos/grpc/node_calls.hpp"
#include "protocols/nacos/grpc/service_body.hpp"

namespace muster::nacos::remote {

namespace {

constexpr std::string_view register_word = "registerInstance";
constexpr std::string_view deregister_word = "deregisterInstance";
constexpr std::string_view batch_word = "batchRegisterInstance";

std::string type_member(std::string_view type) {
  std::string out;
  common::json_out(out).member("type", type);
  return out;
}

reply unsupported(const request& r, std::string_view type) {
  return bad(r, code::invalid,
             "Unsupported request type "
               + std::string{type.empty() ? "null" : type});
}

/// What Java says to an instance of the other kind.
reply other_kind(const request& r, const service_key& key, bool ephemeral) {
  const std::string wanted = ephemeral ? "ephemeral" : "persistent";
  const std::string present = ephemeral ? "persistent" : "ephemeral";
  return bad(r, code::invalid,
             "errCode: 400, errMsg: Current service " + grouped_name(key)
               + " is " + present + " service, can't register " + wanted
               + " instance. ");
}

reply not_registered(const request& r, const error& e, const service_key& key,
                     bool ephemeral) {
  return e.code == errc::failed_precondition ? other_kind(r, key, ephemeral)
                                             : bad(r, e);
}

/// Java's text for connections that cannot have ephemeral instances.
reply wrong_module(const request& r) {
  return bad(r, code::wrong_client,
             "Client [" + r.from.info().connection_id
               + "] is not a connection of module naming");
}

awaitable<reply> publish(request& r, const service_key& key,
                         api::client_publish& message, std::string_view type) {
  if (!r.from.is_naming())
    co_return wrong_module(r);
  const auto done = co_await ask_client(r, std::move(message));
  if (!done)
    co_return not_registered(r, done.error(), key, true);
  co_return good(r, type_member(type));
}

} // namespace

std::optional<reply> check_health(request& r) {
  return good(r);
}

awaitable<reply> change_instance(request& r) {
  members in(r.body);
  const auto names = read_service(r, in, needs_service::yes);
  if (!names)
    co_return names.error();
  const auto type = in.text_or("type");
  if (type == deregister_word) {
    // Takes away what this connection published there, whatever address is
    // named (7.5); nothing is fine.
    api::client_retract message{r.meta, *names};
    const auto done = co_await ask_client(r, std::move(message));
    co_return done ? good(r, type_member(type)) : bad(r, done.error());
  }
  if (type != register_word)
    co_return unsupported(r, type);
  const auto* object = in.object("instance");
  if (!object)
    co_return in.good() ? bad(r, code::invalid, "Instance can not be null.")
                        : malformed();
  auto instance = read_instance(r, *object, *names, true);
  if (!instance)
    co_return instance.error();
  api::client_publish message{r.meta, *names, {std::move(*instance)}};
  co_return co_await publish(r, *names, message, type);
}

awaitable<reply> register_batch(request& r) {
  members in(r.body);
  const auto names = read_service(r, in, needs_service::yes);
  if (!names)
    co_return names.error();
  const auto type = in.text_or("type");
  const auto* elements = in.array("instances");
  if (!in.good())
    co_return malformed();
  if (type != batch_word)
    co_return unsupported(r, type);
  api::client_publish message{r.meta, *names, {}};
  for (std::size_t i = 0; elements && i < elements->size(); ++i) {
    const auto* object = (*elements)[i].if_object();
    if (!object)
      co_return malformed();
    auto instance = read_instance(r, *object, *names, true);
    if (!instance)
      co_return instance.error();
    message.instances.push_back(std::move(*instance));
  }
  co_return co_await publish(r, *names, message, type);
}

namespace {

std::shared_ptr<const pb::Command>
persistent_command(const request& r, const service_key& key,
                   const naming::instance& instance, bool put) {
  auto command = std::make_shared<pb::Command>();
  command->set_time_ms(to_unix_ms(r.node.time().wall()));
  if (put) {
    set_key(*command->mutable_instance_put()->mutable_key(), key);
    fill_record(*command->mutable_instance_put()->mutable_record(), instance);
    return command;
  }
  auto& remove = *command->mutable_instance_remove();
  set_key(*remove.mutable_key(), key);
  remove.set_ip(instance.ip);
  remove.set_port(instance.port);
  return command;
}

} // namespace

awaitable<reply> change_persistent_instance(request& r) {
  members in(r.body);
  const auto names = read_service(r, in, needs_service::yes);
  if (!names)
    co_return names.error();
  const auto type = in.text_or("type");
  const auto put = type == register_word;
  if (!put && type != deregister_word)
    co_return unsupported(r, type);
  const auto* object = in.object("instance");
  if (!object)
    co_return in.good() ? bad(r, code::invalid, "Instance can not be null.")
                        : malformed();
  const auto instance = read_instance(r, *object, *names, false);
  if (!instance)
    co_return instance.error();
  // Nothing is made for the sake of removing what is not there.
  if (!put && !r.node.services().find(names->view()))
    co_return good(r, type_member(type));
  const auto done = co_await common::change_service(
      asker_of(r), *names, persistent_command(r, *names, **instance, put));
  if (done || (!put && done.error().code == errc::not_found))
    co_return good(r, type_member(type));
  co_return not_registered(r, done.error(), *names, false);
}

// -- reading --------------------------------------------------------------------

namespace {

/// An answer that carries `serviceInfo`; `before` are members in front of it.
/// The hosts are shared with the view, not copied.
reply with_info(const request& r, std::string_view before,
                const naming::service_view* view, const service_key& key,
                std::string_view clusters, bool healthy_only) {
  reply out{.type = r.type.answer, .after = R"(,"success":true})"};
  out.body = R"({"resultCode":200,"errorCode":0,)";
  out.body.append(before).append(R"("serviceInfo":)");
  if (view) {
    out.shared = service_body(*view, clusters, healthy_only);
    return out;
  }
  std::string none;
  common::json_out json(none);
  write_empty_service_info(json, key.view(), clusters,
                           to_unix_ms(r.node.time().wall()),
                           {.grouped_name = false});
  out.shared = std::make_shared<const std::string>(std::move(none));
  return out;
}

naming::service_view_ptr view_of(const request& r, const service_key& key) {
  const auto slot = r.node.services().find(key.view());
  return slot ? slot->view() : nullptr;
}

} // namespace

std::optional<reply> query_service(request& r) {
  members in(r.body);
  const auto clusters = in.text_or("cluster");
  const auto healthy_only = in.flag("healthyOnly", false);
  const auto names = read_service(r, in, needs_service::no, clusters);
  if (!names)
    return names.error();
  const auto view = view_of(r, *names);
  return with_info(r, {}, view.get(), *names, clusters, healthy_only);
}

awaitable<reply> subscribe_service(request& r) {
  members in(r.body);
  const auto clusters = in.text_or("clusters");
  const auto subscribe = in.flag("subscribe", false);
  const auto names = read_service(r, in, needs_service::yes, clusters);
  if (!names)
    co_return names.error();
  constexpr std::string_view before = R"("message":"success",)";
  if (!r.from.is_naming())
    co_return wrong_module(r);
  if (!subscribe) {
    api::client_unsubscribe message{r.meta, *names};
    const auto done = co_await ask_client(r, std::move(message));
    if (!done)
      co_return bad(r, done.error());
    const auto view = view_of(r, *names);
    co_return with_info(r, before, view.get(), *names, clusters, false);
  }
  api::client_subscribe message{r.meta, *names, std::string{clusters}};
  const auto view = co_await ask_client(r, std::move(message));
  if (!view)
    co_return bad(r, view.error());
  co_return with_info(r, before, view->get(), *names, clusters, false);
}

namespace {

using slot_list = std::vector<std::shared_ptr<api::service_slot>>;

std::string names_page(const slot_list& all, std::int64_t page,
                       std::int64_t size) {
  std::string out;
  common::json_out json(out);
  json.member("count", all.size());
  json.key("serviceNames").array();
  const auto count = static_cast<std::int64_t>(all.size());
  // Beyond the end, however far: nothing.
  const auto skipped = size > 0 ? std::max<std::int64_t>(page, 1) - 1 : count;
  const auto first = skipped <= count / std::max<std::int64_t>(size, 1)
                       ? std::min(count, skipped * size)
                       : count;
  const auto last = first + std::min(count - first, size);
  for (auto i = first; i < last; ++i)
    json.value(all[static_cast<std::size_t>(i)]->key().service);
  json.end();
  return out;
}

} // namespace

awaitable<reply> list_service_names(request& r) {
  members in(r.body);
  const auto names = read_service(r, in, needs_service::no);
  const auto page = in.number("pageNo", 1);
  const auto size = in.number("pageSize", 10);
  if (!names)
    co_return names.error();
  if (!in.good())
    co_return malformed();
  if (size < 0)
    co_return bad(r, code::invalid, "pageSize must not be negative");
  // The selector picks by labels of services, which nothing sets in this line
  // of Nacos: all that is listed fits (7.6).
  api::list_services wanted{r.meta, names->space, names->group};
  const auto listed = co_await ask(r.node.namespaces(), std::move(wanted));
  if (!listed)
    co_return bad(r, listed.error());
  co_return good(r, names_page(listed->services, page, size));
}

} // namespace muster::nacos::remote
