#include <algorithm>
#include <set>

#include "protocols/common/json.hpp"
#include "protocols/common/json_out.hpp"
#include "protocols/nacos/codec/instance_json.hpp"
#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/codec/naming_command.hpp"
#include "protocols/nacos/http/handlers.hpp"
#include "protocols/nacos/http/read.hpp"

/// Services: create, update, delete, look up, list (nacos-http 3.3, 3.4, 9.5).
namespace muster::nacos {

namespace {

using common::ask;
using common::json_out;

constexpr std::string_view no_selector =
    R"({"type":"none","contextType":"NONE"})";
constexpr std::size_t v2_page_size_max = 500;

/// `serviceName` as v1's service calls miss it.
or_error<service_key> v1_key(context& c) {
  return read_service_key(c, naming_names::v1, &missing_framework);
}

api_error not_found(const service_key& key) {
  return {400, wire_code::service_not_exist,
          "service " + grouped_name(key) + " not found!"};
}

/// `{"type":"none"}` or a `label` selector with its expression; blank = none.
or_error<std::string> read_selector(std::string_view text) {
  if (blank(text))
    return std::string{};
  const auto value = common::parse_json(text);
  const auto* object = value ? value->if_object() : nullptr;
  const auto* type = object ? object->if_contains("type") : nullptr;
  if (!type || !type->is_string()
      || (type->get_string() != "none" && type->get_string() != "label"))
    return refuse(
        {400, wire_code::selector_error, "not match any type of selector!"});
  return type->get_string() == "none" ? std::string{} : std::string{text};
}

/// The definition that POST and PUT send; what is not sent stays as in
/// `record`.
or_error<pb::ServiceRecord> read_definition(const common::params& params,
                                            pb::ServiceRecord record) {
  record.set_by_hand(true);
  if (const auto text = trim(params.get("protectThreshold")); !text.empty()) {
    const auto threshold = read_number(text);
    if (!threshold)
      return refuse(threshold.error());
    record.set_protect_threshold(*threshold);
  }
  if (const auto text = params.find("metadata")) {
    const auto metadata =
        read_metadata(*text, wire_code::service_metadata_error);
    if (!metadata)
      return refuse(metadata.error());
    record.mutable_metadata()->clear();
    for (const auto& [key, value] : *metadata)
      (*record.mutable_metadata())[key] = value;
  }
  if (const auto text = params.find("selector")) {
    auto selector = read_selector(*text);
    if (!selector)
      return refuse(selector.error());
    record.set_selector(std::move(*selector));
  }
  return record;
}

pb::ServiceRecord to_record(const naming::service_definition& definition) {
  pb::ServiceRecord record;
  record.set_ephemeral(definition.ephemeral);
  record.set_protect_threshold(definition.protect_threshold);
  for (const auto& [key, value] : definition.metadata)
    (*record.mutable_metadata())[key] = value;
  record.set_selector(definition.selector);
  return record;
}

awaitable<result<model::outcome>> put_service(context& c,
                                              const service_key& key,
                                              pb::ServiceRecord record,
                                              pb::ServicePut::Mode mode) {
  auto command = stamped(c);
  auto& put = *command.mutable_service_put();
  set_key(*put.mutable_key(), key);
  *put.mutable_record() = std::move(record);
  put.set_mode(mode);
  co_return co_await common::change_service(asker_of(c), key,
                                            share(std::move(command)));
}

awaitable<or_error<void>> create(context& c, or_error<service_key> key,
                                 bool ephemeral) {
  if (!key)
    co_return refuse(std::move(key.error()));
  pb::ServiceRecord fresh;
  fresh.set_ephemeral(ephemeral);
  auto record = read_definition(c.request.params(), std::move(fresh));
  if (!record)
    co_return refuse(std::move(record.error()));
  const api_error taken{400, wire_code::service_already_exists,
                        "specified service " + grouped_name(*key)
                            + " already exists!"};
  if (exists(view_of(c, key->view()).get()))
    co_return refuse(taken);
  const auto done =
      co_await put_service(c, *key, std::move(*record), pb::ServicePut::CREATE);
  if (!done && done.error().code == errc::already_exists)
    co_return refuse(taken);
  if (!done)
    co_return refuse(to_api_error(done.error()));
  co_return or_error<void>{};
}

awaitable<or_error<void>> update(context& c, or_error<service_key> key) {
  if (!key)
    co_return refuse(std::move(key.error()));
  const auto view = view_of(c, key->view());
  if (!exists(view.get()))
    co_return refuse(not_found(*key));
  auto record =
      read_definition(c.request.params(), to_record(view->definition));
  if (!record)
    co_return refuse(std::move(record.error()));
  const auto done =
      co_await put_service(c, *key, std::move(*record), pb::ServicePut::UPSERT);
  if (!done)
    co_return refuse(to_api_error(done.error()));
  co_return or_error<void>{};
}

awaitable<or_error<void>> remove(context& c, or_error<service_key> key) {
  if (!key)
    co_return refuse(std::move(key.error()));
  const auto view = view_of(c, key->view());
  if (!exists(view.get()))
    co_return refuse(not_found(*key));
  const api_error in_use{400, wire_code::service_delete_failure,
                         "Service " + grouped_name(*key)
                             + " is not empty, can't be delete. Please "
                               "unregister instance first"};
  if (!view->hosts.empty())
    co_return refuse(in_use);
  auto command = stamped(c);
  set_key(*command.mutable_service_remove()->mutable_key(), *key);
  const auto done = co_await common::change_service(asker_of(c), *key,
                                                    share(std::move(command)));
  if (!done && done.error().code == errc::failed_precondition)
    co_return refuse(in_use);
  if (!done && done.error().code != errc::not_found)
    co_return refuse(to_api_error(done.error()));
  co_return or_error<void>{};
}

/// Clusters that the definition names or where instances are, sorted.
std::set<std::string_view> cluster_names(const naming::service_view& view) {
  std::set<std::string_view> names;
  for (const auto& [name, cluster] : view.definition.clusters)
    names.insert(name);
  for (const auto& host : view.hosts)
    names.insert(host->shown->cluster);
  return names;
}

std::string_view checker_of(const naming::service_definition& definition,
                            std::string_view cluster) {
  const auto it = definition.clusters.find(cluster);
  if (it == definition.clusters.end() || it->second.health_checker.empty())
    return R"({"type":"TCP"})";
  return it->second.health_checker;
}

std::string_view selector_of(const naming::service_definition& definition) {
  return definition.selector.empty() ? no_selector
                                     : std::string_view{definition.selector};
}

void write_cluster_metadata(json_out& out, const naming::service_view& view,
                            std::string_view cluster) {
  const auto it = view.definition.clusters.find(cluster);
  out.key("metadata");
  write_metadata(out, it == view.definition.clusters.end()
                          ? naming::metadata_map{}
                          : it->second.metadata);
}

std::string detail_v1(const naming::service_view& view) {
  std::string body;
  json_out out(body);
  out.object()
      .member("namespaceId", view.key.space)
      .member("groupName", view.key.group)
      .member("name", view.key.service)
      .member("protectThreshold", view.definition.protect_threshold)
      .key("metadata");
  write_metadata(out, view.definition.metadata);
  out.member_raw("selector", selector_of(view.definition))
      .key("clusters")
      .array();
  for (const auto name : cluster_names(view)) {
    out.object()
        .member("name", name)
        .member_raw("healthChecker", checker_of(view.definition, name));
    write_cluster_metadata(out, view, name);
    out.end();
  }
  out.end().end();
  return body;
}

std::string detail_v2(const naming::service_view& view) {
  const auto grouped = grouped_name(view.key);
  std::string body;
  json_out out(body);
  out.object()
      .member("namespace", view.key.space)
      .member("serviceName", view.key.service)
      .member("groupName", view.key.group)
      .key("clusterMap")
      .object();
  for (const auto name : cluster_names(view)) {
    const auto it = view.definition.clusters.find(name);
    const auto known = it != view.definition.clusters.end();
    out.key(name)
        .object()
        .member("clusterName", name)
        .member_raw("healthChecker", checker_of(view.definition, name))
        .member("healthyCheckPort", known ? it->second.check_port : 80)
        .member("useInstancePortForCheck",
                known ? it->second.use_instance_port : true);
    write_cluster_metadata(out, view, name);
    out.key("hosts").array();
    for (const auto& host : view.hosts)
      if (host->shown->cluster == name)
        write_instance(out, *host->shown, grouped, false);
    out.end().end();
  }
  out.end().key("metadata");
  write_metadata(out, view.definition.metadata);
  out.member("protectThreshold", view.definition.protect_threshold)
      .member_raw("selector", selector_of(view.definition))
      .member("ephemeral", view.definition.ephemeral)
      .end();
  return body;
}

template <class Detail>
or_error<std::string> get(context& c, or_error<service_key> key,
                          Detail detail) {
  if (!key)
    return refuse(std::move(key.error()));
  const auto view = view_of(c, key->view());
  if (!exists(view.get()))
    return refuse({400, wire_code::service_not_exist,
                   "service not found, namespace: " + key->space
                       + ", serviceName: " + grouped_name(*key)});
  return detail(*view);
}

/// One page of the bare names of a group's services:
/// `{"count":n,<member>:[…]}`.
awaitable<or_error<std::string>> list(context& c, page wanted,
                                      std::string_view member) {
  const auto& params = c.request.params();
  auto group = trim(params.get("groupName"));
  if (group.empty())
    group = default_group;
  api::list_services query{
      c.request.meta, std::string{space_or_public(params.get("namespaceId"))},
      std::string{group}};
  const auto found = co_await ask(c.node.namespaces(), std::move(query));
  if (!found)
    co_return refuse(to_api_error(found.error()));
  std::vector<std::string_view> names;
  for (const auto& slot : found->services)
    if (exists(slot->view().get()))
      names.push_back(slot->key().service);
  std::ranges::sort(names);
  const auto range = range_of(wanted, names.size());
  std::string body;
  json_out out(body);
  out.object().member("count", names.size()).key(member).array();
  for (auto i = range.begin; i < range.end; ++i)
    out.value(names[i]);
  out.end().end();
  co_return body;
}

std::size_t at_least_one(std::int64_t n) noexcept {
  return n < 1 ? 1 : static_cast<std::size_t>(n);
}

/// v1: what is no number is 0, which is the first page (nacos-http 1.2).
or_error<page> v1_page(const common::params& params) {
  page wanted;
  for (const auto& [name, into] :
       {std::pair{"pageNo", &wanted.number}, {"pageSize", &wanted.size}}) {
    const auto text = need(params, name, &missing_required);
    if (!text)
      return refuse(text.error());
    *into = at_least_one(parse_number<std::int64_t>(trim(*text)).value_or(0));
  }
  return wanted;
}

or_error<page> v2_page(const common::params& params) {
  page wanted{1, 20};
  for (const auto& [name, into] :
       {std::pair{"pageNo", &wanted.number}, {"pageSize", &wanted.size}}) {
    const auto text = trim(params.get(name));
    if (text.empty())
      continue;
    const auto value = parse_number<std::int64_t>(text);
    if (!value)
      return refuse(not_a_number(text));
    *into = at_least_one(*value);
  }
  wanted.size = std::min(wanted.size, v2_page_size_max);
  return wanted;
}

response v1_reply(context& c, const or_error<void>& done) {
  return done ? text_reply(200, "ok")
              : error_reply(family::naming_v1, c.request, done.error());
}

response v2_reply(context& c, const or_error<void>& done) {
  return done ? envelope(R"("ok")")
              : error_reply(family::envelope, c.request, done.error());
}

bool v2_ephemeral(const common::params& params) {
  return truth(params.get("ephemeral"));
}

} // namespace

awaitable<response> service_create_v1(context& c) {
  auto key = v1_key(c);
  const auto done = co_await create(c, std::move(key), false);
  co_return v1_reply(c, done);
}

awaitable<response> service_create_v2(context& c) {
  auto key = read_service_key(c, naming_names::v2);
  const auto ephemeral = v2_ephemeral(c.request.params());
  const auto done = co_await create(c, std::move(key), ephemeral);
  co_return v2_reply(c, done);
}

awaitable<response> service_update_v1(context& c) {
  auto key = v1_key(c);
  const auto threshold =
      need(c.request.params(), "protectThreshold", &missing_required);
  if (key && !threshold)
    co_return error_reply(family::naming_v1, c.request, threshold.error());
  const auto done = co_await update(c, std::move(key));
  co_return v1_reply(c, done);
}

awaitable<response> service_update_v2(context& c) {
  auto key = read_service_key(c, naming_names::v2);
  const auto done = co_await update(c, std::move(key));
  co_return v2_reply(c, done);
}

awaitable<response> service_remove_v1(context& c) {
  auto key = v1_key(c);
  const auto done = co_await remove(c, std::move(key));
  co_return v1_reply(c, done);
}

awaitable<response> service_remove_v2(context& c) {
  auto key = read_service_key(c, naming_names::v2_argument);
  const auto done = co_await remove(c, std::move(key));
  co_return v2_reply(c, done);
}

awaitable<response> service_get_v1(context& c) {
  auto body = get(c, v1_key(c), &detail_v1);
  co_return body ? json_reply(std::move(*body))
                 : error_reply(family::naming_v1, c.request, body.error());
}

awaitable<response> service_get_v2(context& c) {
  auto key = read_service_key(c, naming_names::v2_argument);
  const auto body = get(c, std::move(key), &detail_v2);
  co_return body ? envelope(*body)
                 : error_reply(family::envelope, c.request, body.error());
}

awaitable<response> service_list_v1(context& c) {
  auto checked = check_naming(c, naming_names::v1);
  if (!checked)
    co_return error_reply(family::naming_v1, c.request, checked.error());
  const auto wanted = v1_page(c.request.params());
  if (!wanted)
    co_return error_reply(family::naming_v1, c.request, wanted.error());
  auto body = co_await list(c, *wanted, "doms");
  co_return body ? json_reply(std::move(*body))
                 : error_reply(family::naming_v1, c.request, body.error());
}

awaitable<response> service_list_v2(context& c) {
  auto checked = check_naming(c, naming_names::v2);
  if (!checked)
    co_return error_reply(family::envelope, c.request, checked.error());
  const auto wanted = v2_page(c.request.params());
  if (!wanted)
    co_return error_reply(family::envelope, c.request, wanted.error());
  const auto body = co_await list(c, *wanted, "services");
  co_return body ? envelope(*body)
                 : error_reply(family::envelope, c.request, body.error());
}

} // namespace muster::nacos
