#include <algorithm>
#include <map>

#include <openssl/rand.h>

#include "protocols/common/digest.hpp"
#include "protocols/common/json_out.hpp"
#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/http/calls.hpp"
#include "protocols/nacos/http/handlers.hpp"
#include "protocols/nacos/http/read.hpp"

/// Namespaces over v1 and v2 (nacos-http 4).
namespace muster::nacos {

namespace {

using common::ask;
using common::json_out;

constexpr std::size_t quota = 200;

/// A namespace as lists show it.
struct space_row {
  std::string id;
  std::string name;
  std::string description;
  std::uint64_t config_count = 0;
};

std::string row_json(const space_row& row) {
  std::string out;
  json_out(out)
      .object()
      .member("namespace", row.id)
      .member("namespaceShowName", row.name)
      .member("namespaceDesc", row.description)
      .member("quota", quota)
      .member("configCount", row.config_count)
      // 0 = the default one, 2 = made by somebody.
      .member("type", row.id == public_namespace ? 0 : 2)
      .end();
  return out;
}

/// Formal configs by namespace, over all partitions.
awaitable<result<std::map<std::string, std::uint64_t>>>
count_configs(context& c) {
  std::map<std::string, std::uint64_t> sums;
  for (std::uint64_t p = 1; p <= c.node.facts().partitions; ++p) {
    api::count_configs query;
    query.meta = c.request.meta;
    query.partition = partition_id{p};
    const auto counted =
        co_await ask(c.node.tables(partition_id{p}), std::move(query));
    if (!counted)
      co_return std::unexpected(counted.error());
    for (const auto& [space, n] : counted->by_space)
      sums[space] += n;
  }
  co_return sums;
}

/// All namespaces, `public` first.
awaitable<result<std::vector<space_row>>> load_spaces(context& c) {
  api::list_namespaces query{c.request.meta};
  const auto stored =
      co_await ask(c.node.tables(partition_id{0}), std::move(query));
  if (!stored)
    co_return std::unexpected(stored.error());
  const auto counted = co_await count_configs(c);
  if (!counted)
    co_return std::unexpected(counted.error());
  std::vector<space_row> rows;
  rows.push_back({std::string{public_namespace}, std::string{public_namespace},
                  "Default Namespace", 0});
  for (const auto& row : stored->rows)
    rows.push_back({row.id, row.record.name(), row.record.description(), 0});
  for (auto& row : rows)
    if (const auto it = counted->find(row.id); it != counted->end())
      row.config_count = it->second;
  co_return rows;
}

awaitable<or_error<std::string>> list_json(context& c) {
  const auto rows = co_await load_spaces(c);
  if (!rows)
    co_return refuse(to_api_error(rows.error()));
  std::string body;
  json_out out(body);
  out.array();
  for (const auto& row : *rows)
    out.raw(row_json(row));
  out.end();
  co_return body;
}

awaitable<or_error<std::string>> one_json(context& c, std::string_view id,
                                          unsigned status_if_absent) {
  const auto rows = co_await load_spaces(c);
  if (!rows)
    co_return refuse(to_api_error(rows.error()));
  const auto wanted = space_or_public(id);
  const auto it = std::ranges::find(*rows, wanted, &space_row::id);
  if (it == rows->end())
    co_return refuse({status_if_absent, wire_code::namespace_not_exist,
                      "namespaceId [ " + std::string{id} + " ] not exist"});
  co_return row_json(*it);
}

/// A random id in the text form of RFC 4122, version 4.
std::string new_id() {
  std::array<std::uint8_t, 16> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);
  std::string id;
  common::append_hex(id, bytes.data(), bytes.size());
  for (const std::size_t at : {20U, 16U, 12U, 8U})
    id.insert(at, 1, '-');
  return id;
}

/// How the versions call the same three things.
struct space_names {
  std::string_view id;
  std::string_view name;
};
constexpr space_names create_v1{"customNamespaceId", "namespaceName"};
constexpr space_names update_v1{"namespace", "namespaceShowName"};
constexpr space_names names_v2{"namespaceId", "namespaceName"};

or_error<void> check_space(const context& c, const space_names& names) {
  const auto& params = c.request.params();
  checked_names checked;
  checked.space = trim(params.get(names.id));
  checked.space_name = params.get(names.name);
  if (auto fault = check_names(checked, parts_of(c).rules))
    return refuse(illegal_name(std::move(*fault)));
  return {};
}

awaitable<result<model::outcome>>
put_space(context& c, const space_names& names, pb::NamespacePut::Mode mode) {
  const auto& params = c.request.params();
  const auto id = trim(params.get(names.id));
  auto command = stamped(c);
  auto& put = *command.mutable_namespace_put();
  put.set_id(id.empty() ? new_id() : std::string{id});
  put.set_name(std::string{params.get(names.name)});
  put.set_description(std::string{params.get("namespaceDesc")});
  put.set_mode(mode);
  co_return co_await common::propose(asker_of(c), partition_id{0},
                                     share(std::move(command)));
}

awaitable<result<model::outcome>> remove_space(context& c) {
  auto command = stamped(c);
  command.mutable_namespace_remove()->set_id(
      std::string{trim(c.request.params().get("namespaceId"))});
  co_return co_await common::propose(asker_of(c), partition_id{0},
                                     share(std::move(command)));
}

/// Absent is as good as done (nacos-http 4).
bool done_or_absent(const result<model::outcome>& done) noexcept {
  return done || done.error().code == errc::not_found;
}

/// v1 console: what the framework misses ends as 500.
api_error missing_console(std::string_view name) {
  auto error = missing_argument(name);
  error.status = 500;
  return error;
}

api_error missing_v2_form(std::string_view name) {
  return {400, wire_code::parameter_missing,
          "required parameter '" + std::string{name} + "' is missing"};
}

api_error missing_v2(std::string_view name) {
  return missing_argument(name);
}

response console_error(context& c, const api_error& error) {
  return error_reply(family::console_v1, c.request, error);
}

response v2_error(context& c, const api_error& error) {
  return error_reply(family::envelope, c.request, error);
}

awaitable<response> namespace_exists_v1(context& c) {
  const auto id = need(c.request.params(), "customNamespaceId",
                       &missing_console, blanks::count);
  if (!id)
    co_return console_error(c, id.error());
  if (blank(*id))
    co_return json_reply("false");
  const auto row = co_await one_json(c, *id, 404);
  if (!row && row.error().code != wire_code::namespace_not_exist)
    co_return console_error(c, row.error());
  co_return json_reply(row ? "true" : "false");
}

} // namespace

awaitable<response> namespace_get_v1(context& c) {
  const auto& params = c.request.params();
  if (truth(params.get("checkNamespaceIdExist")))
    co_return co_await namespace_exists_v1(c);
  if (params.get("show") != "all") {
    const auto rows = co_await list_json(c);
    co_return rows ? rest_result(200, {}, *rows)
                   : console_error(c, rows.error());
  }
  const auto id = need(params, "namespaceId", &missing_console, blanks::count);
  if (!id)
    co_return console_error(c, id.error());
  auto row = co_await one_json(c, *id, 500);
  co_return row ? json_reply(std::move(*row)) : console_error(c, row.error());
}

awaitable<response> namespace_create_v1(context& c) {
  const auto& params = c.request.params();
  if (auto fine = check_space(c, create_v1); !fine)
    co_return console_error(c, fine.error());
  const auto name =
      need(params, create_v1.name, &missing_console, blanks::count);
  if (!name)
    co_return console_error(c, name.error());
  if (trim(params.get(create_v1.id)) == public_namespace)
    co_return json_reply("false");
  const auto done = co_await put_space(c, create_v1, pb::NamespacePut::CREATE);
  if (!done && done.error().code != errc::already_exists)
    co_return console_error(c, to_api_error(done.error()));
  co_return json_reply(done ? "true" : "false");
}

awaitable<response> namespace_update_v1(context& c) {
  const auto& params = c.request.params();
  for (const auto name : {update_v1.id, update_v1.name})
    if (const auto value = need(params, name, &missing_console, blanks::count);
        !value)
      co_return console_error(c, value.error());
  // A bad name is no refusal here, only not done.
  if (!check_space(c, update_v1))
    co_return json_reply("false");
  const auto done = co_await put_space(c, update_v1, pb::NamespacePut::UPDATE);
  if (!done_or_absent(done))
    co_return console_error(c, to_api_error(done.error()));
  co_return json_reply("true");
}

awaitable<response> namespace_remove_v1(context& c) {
  const auto id =
      need(c.request.params(), "namespaceId", &missing_console, blanks::count);
  if (!id)
    co_return console_error(c, id.error());
  const auto done = co_await remove_space(c);
  if (!done_or_absent(done))
    co_return console_error(c, to_api_error(done.error()));
  co_return json_reply("true");
}

awaitable<response> namespace_list_v2(context& c) {
  const auto rows = co_await list_json(c);
  co_return rows ? envelope(*rows) : v2_error(c, rows.error());
}

awaitable<response> namespace_get_v2(context& c) {
  const auto id =
      need(c.request.params(), "namespaceId", &missing_v2, blanks::count);
  if (!id)
    co_return v2_error(c, id.error());
  const auto row = co_await one_json(c, *id, 404);
  co_return row ? envelope(*row) : v2_error(c, row.error());
}

awaitable<response> namespace_create_v2(context& c) {
  const auto& params = c.request.params();
  if (auto fine = check_space(c, names_v2); !fine)
    co_return v2_error(c, fine.error());
  const auto id = need(params, names_v2.id, &missing_v2_form, blanks::count);
  if (!id)
    co_return v2_error(c, id.error());
  const auto name = need(params, names_v2.name, &missing_v2_form);
  if (!name)
    co_return v2_error(c, name.error());
  const std::string shown{trim(*id)};
  if (shown == public_namespace)
    co_return v2_error(c, {400, wire_code::namespace_already_exists,
                           "namespaceId [public] is default namespace id and "
                           "already exist."});
  const auto done = co_await put_space(c, names_v2, pb::NamespacePut::CREATE);
  if (done)
    co_return envelope("true");
  auto error = to_api_error(done.error());
  if (done.error().code == errc::already_exists) {
    error.code = wire_code::illegal_namespace;
    error.text = "the namespaceId is existed, namespaceId: " + shown;
  }
  co_return v2_error(c, error);
}

awaitable<response> namespace_update_v2(context& c) {
  const auto& params = c.request.params();
  if (auto fine = check_space(c, names_v2); !fine)
    co_return v2_error(c, fine.error());
  for (const auto name : {names_v2.id, names_v2.name})
    if (const auto value = need(params, name, &missing_v2_form); !value)
      co_return v2_error(c, value.error());
  const auto done = co_await put_space(c, names_v2, pb::NamespacePut::UPDATE);
  if (!done_or_absent(done))
    co_return v2_error(c, to_api_error(done.error()));
  co_return envelope("true");
}

awaitable<response> namespace_remove_v2(context& c) {
  const auto id =
      need(c.request.params(), "namespaceId", &missing_v2, blanks::count);
  if (!id)
    co_return v2_error(c, id.error());
  const auto done = co_await remove_space(c);
  if (!done_or_absent(done))
    co_return v2_error(c, to_api_error(done.error()));
  co_return envelope("true");
}

} // namespace muster::nacos
