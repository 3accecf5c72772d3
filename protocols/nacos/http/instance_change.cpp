#include "protocols/common/json.hpp"
#include "protocols/common/json_out.hpp"
#include "protocols/nacos/codec/instance_json.hpp"
#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/codec/naming_command.hpp"
#include "protocols/nacos/http/handlers.hpp"
#include "protocols/nacos/http/read.hpp"

/// Overrides that operators lay over instances: update, patch, metadata in
/// batches (nacos-http 3.1, 3.4, 9.6).
namespace muster::nacos {

namespace {

using common::json_out;
namespace json = boost::json;
using put_mode = pb::OverridePut;

/// Where an override goes, owning its texts.
struct place_key {
  std::string ip;
  std::uint16_t port = 0;
  std::string cluster;
};

place_key owned(const instance_place& place) {
  return {std::string{place.ip}, place.port, std::string{place.cluster}};
}

void set_metadata(pb::OverrideRecord& out,
                  const naming::metadata_map& metadata) {
  for (const auto& [key, value] : metadata)
    (*out.mutable_metadata())[key] = value;
}

awaitable<or_error<void>> lay_over(context& c, const service_key& key,
                                   place_key place, pb::OverrideRecord values,
                                   pb::OverridePut::Metadata mode) {
  auto command = stamped(c);
  auto& put = *command.mutable_override_put();
  set_key(*put.mutable_key(), key);
  put.set_ip(std::move(place.ip));
  put.set_port(place.port);
  put.set_cluster(std::move(place.cluster));
  *put.mutable_record() = std::move(values);
  put.set_metadata(mode);
  const auto done = co_await common::change_service(asker_of(c), key,
                                                    share(std::move(command)));
  if (!done)
    co_return refuse(to_api_error(done.error()));
  co_return or_error<void>{};
}

/// PUT: weight, enabled and metadata all replace what was laid over before; the
/// instance need not be there, the service must.
awaitable<or_error<void>> update(context& c, naming_names how) {
  const auto key = read_service_key(c, how);
  if (!key)
    co_return refuse(key.error());
  const auto instance = read_instance(c, how);
  if (!instance)
    co_return refuse(instance.error());
  if (!exists(view_of(c, key->view()).get()))
    co_return refuse(
        {400, wire_code::instance_error,
         "service not found, namespace: " + key->space
             + ", service: Service{namespace='" + key->space + "', group='"
             + key->group + "', name='" + key->service + "', ephemeral="
             + (instance->ephemeral ? "true" : "false") + ", revision=0}"});
  pb::OverrideRecord values;
  values.set_weight(instance->weight);
  values.set_enabled(instance->enabled);
  set_metadata(values, instance->metadata);
  place_key place{instance->ip, instance->port, instance->cluster};
  co_return co_await lay_over(c, *key, std::move(place), std::move(values),
                              put_mode::REPLACE);
}

/// What a PATCH sends; only what is there changes.
struct patch_form {
  pb::OverrideRecord values;
  pb::OverridePut::Metadata metadata = put_mode::KEEP;
};

or_error<patch_form> read_patch(const context& c) {
  const auto& params = c.request.params();
  patch_form form;
  if (const auto text = params.find("metadata"); text && !blank(*text)) {
    const auto metadata =
        read_metadata(*text, wire_code::instance_metadata_error);
    if (!metadata)
      return refuse(metadata.error());
    if (auto fault = check_metadata(*metadata, parts_of(c).rules))
      return refuse(illegal_name(std::move(*fault)));
    set_metadata(form.values, *metadata);
    form.metadata = put_mode::REPLACE;
  }
  if (const auto text = trim(params.get("weight")); !text.empty()) {
    const auto weight = read_weight(text);
    if (!weight)
      return refuse(weight.error());
    form.values.set_weight(*weight);
  }
  if (const auto flag = trim(params.get("enabled")); !flag.empty())
    form.values.set_enabled(truth(flag));
  return form;
}

awaitable<or_error<void>> patch(context& c, naming_names how) {
  const auto key = read_service_key(c, how);
  if (!key)
    co_return refuse(key.error());
  const auto place = read_place(c.request, how);
  if (!place)
    co_return refuse(place.error());
  auto form = read_patch(c);
  if (!form)
    co_return refuse(form.error());
  const auto view = view_of(c, key->view());
  const auto host =
      find_host(view.get(), *key, place->ip, place->port, place->cluster);
  if (!host)
    co_return refuse(host.error());
  auto where = owned(*place);
  co_return co_await lay_over(c, *key, std::move(where),
                              std::move(form->values), form->metadata);
}

/// The instances that a batch names; all if it names none or is broken (3.1).
std::vector<naming::hosted_ptr> batch_targets(const naming::service_view& view,
                                              std::string_view instances) {
  const auto list = common::parse_json(instances);
  if (!list || !list->is_array() || list->get_array().empty())
    return view.hosts;
  std::vector<naming::hosted_ptr> targets;
  for (const auto& item : list->get_array()) {
    if (!item.is_object())
      return view.hosts;
    const auto wanted = parse_instance(item.get_object());
    if (!wanted)
      return view.hosts;
    for (const auto& host : view.hosts)
      if (host->shown->ip == wanted->ip && host->shown->port == wanted->port
          && host->shown->cluster == wanted->cluster)
        targets.push_back(host);
  }
  return targets;
}

/// `{"updated":["ip:port:unknown:DEFAULT:ephemeral"]}`
awaitable<or_error<std::string>> change_metadata(context& c, naming_names how,
                                                 put_mode::Metadata mode) {
  const auto& params = c.request.params();
  const auto key = read_service_key(c, how);
  if (!key)
    co_return refuse(key.error());
  const auto text = need(params, "metadata", [how](std::string_view name) {
    return how == naming_names::v1 ? missing_required(name)
                                   : missing_form(name);
  });
  if (!text)
    co_return refuse(text.error());
  const auto metadata =
      read_metadata(*text, wire_code::instance_metadata_error);
  if (!metadata)
    co_return refuse(metadata.error());
  pb::OverrideRecord values;
  set_metadata(values, *metadata);
  const auto view = view_of(c, key->view());
  const auto targets = view ? batch_targets(*view, params.get("instances"))
                            : std::vector<naming::hosted_ptr>{};
  std::string body;
  json_out out(body);
  out.object().key("updated").array();
  for (const auto& host : targets) {
    const auto& shown = *host->shown;
    place_key place{shown.ip, shown.port, shown.cluster};
    auto copy = values;
    const auto done =
        co_await lay_over(c, *key, std::move(place), std::move(copy), mode);
    if (!done)
      co_return refuse(done.error());
    out.value(shown.ip + ':' + std::to_string(shown.port) + ":unknown:"
              + shown.cluster + (shown.ephemeral ? ":ephemeral" : ":persist"));
  }
  out.end().end();
  co_return body;
}

response batch_reply(context& c, naming_names how, or_error<std::string> done) {
  if (how == naming_names::v1)
    return done ? json_reply(std::move(*done))
                : error_reply(family::naming_v1, c.request, done.error());
  return done ? envelope(*done)
              : error_reply(family::envelope, c.request, done.error());
}

} // namespace

awaitable<response> instance_update_v1(context& c) {
  const auto done = co_await update(c, naming_names::v1);
  co_return done ? text_reply(200, "ok")
                 : error_reply(family::naming_v1, c.request, done.error());
}

awaitable<response> instance_update_v2(context& c) {
  const auto done = co_await update(c, naming_names::v2);
  co_return done ? envelope(R"("ok")")
                 : error_reply(family::envelope, c.request, done.error());
}

awaitable<response> instance_patch_v1(context& c) {
  const auto done = co_await patch(c, naming_names::v1);
  co_return done ? text_reply(200, "ok")
                 : error_reply(family::naming_v1, c.request, done.error());
}

awaitable<response> instance_patch_v2(context& c) {
  // The framework misses these before the name is looked at (3.4).
  struct row {
    std::string_view name;
    std::string_view type;
  };
  for (const auto& [name, type] :
       {row{"serviceName", "String"}, row{"ip", "String"},
        row{"port", "Integer"}, row{"weight", "Double"},
        row{"enabled", "Boolean"}, row{"metadata", "String"}})
    if (!c.request.params().find(name))
      co_return error_reply(family::envelope, c.request,
                            missing_argument(name, type));
  const auto done = co_await patch(c, naming_names::v2_grouped);
  co_return done ? text_reply(200, "ok")
                 : error_reply(family::envelope, c.request, done.error());
}

awaitable<response> instance_metadata_put_v1(context& c) {
  auto done = co_await change_metadata(c, naming_names::v1, put_mode::MERGE);
  co_return batch_reply(c, naming_names::v1, std::move(done));
}

awaitable<response> instance_metadata_remove_v1(context& c) {
  auto done =
      co_await change_metadata(c, naming_names::v1, put_mode::REMOVE_KEYS);
  co_return batch_reply(c, naming_names::v1, std::move(done));
}

awaitable<response> instance_metadata_put_v2(context& c) {
  auto done = co_await change_metadata(c, naming_names::v2, put_mode::MERGE);
  co_return batch_reply(c, naming_names::v2, std::move(done));
}

awaitable<response> instance_metadata_remove_v2(context& c) {
  auto done =
      co_await change_metadata(c, naming_names::v2, put_mode::REMOVE_KEYS);
  co_return batch_reply(c, naming_names::v2, std::move(done));
}

} // namespace muster::nacos
