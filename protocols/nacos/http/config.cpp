#include "protocols/common/json_out.hpp"
#include "protocols/common/render_slots.hpp"
#include "protocols/nacos/codec/config_choice.hpp"
#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/http/handlers.hpp"
#include "protocols/nacos/http/read.hpp"

/// Configs: publish, get, delete (nacos-http 2.1, 2.2, 2.6, 2.7).
namespace muster::nacos {

namespace {

namespace slot = common::config_slot;

constexpr std::string_view absent_text = "config data not exist";

client_labels labels_of(const http::request& request) {
  return {request.source_ip(), trim(request.params().get("tag")),
          request.header("Vipserver-Tag")};
}

std::string_view mime_of(std::string_view type) noexcept {
  if (type == "json")
    return json_utf8_type;
  if (type == "xml")
    return "application/xml;charset=UTF-8";
  if (type == "html")
    return "text/html;charset=UTF-8";
  return text_type;
}

/// The headers of 2.2.
void add_config_headers(response& answer, const config_snapshot& snapshot,
                        const chosen_version& chosen) {
  auto& headers = answer.headers;
  headers.reserve(8);
  headers.emplace_back("Config-Type", type_of(snapshot, chosen));
  headers.emplace_back("Content-MD5", chosen.body->md5);
  add_no_cache(answer);
  headers.emplace_back("Last-Modified", http_date(chosen.body->modify_time_ms));
  if (!chosen.gray)
    headers.emplace_back("Encrypted-Data-Key", chosen.body->encrypted_data_key);
  if (chosen.beta())
    headers.emplace_back("isBeta", "true");
  if (chosen.tagged())
    headers.emplace_back("tag", common::url_encode(chosen.gray->expression));
}

response content_reply(const config_snapshot& snapshot,
                       const chosen_version& chosen) {
  auto answer = http::reply(200, mime_of(type_of(snapshot, chosen)),
                            chosen.body->content);
  add_config_headers(answer, snapshot, chosen);
  return answer;
}

/// What every client gets of a config without grays is rendered once.
response cached_content(const config_snapshot& snapshot) {
  if (auto kept = snapshot.rendered.find(slot::http_content))
    return http::reply(std::move(kept));
  const auto answer = content_reply(snapshot, {snapshot.formal.get(), nullptr});
  return http::reply(
      snapshot.rendered.keep(slot::http_content, http::render(answer)));
}

/// ConfigInfo4Beta (2.1) of the beta, or null.
std::string beta_json(const config_snapshot* snapshot) {
  std::string out;
  for (std::size_t i = 0; snapshot && i < snapshot->grays.size(); ++i) {
    const auto& gray = *snapshot->grays[i];
    if (gray.name != beta_gray_name)
      continue;
    common::json_out(out)
        .object()
        .member("id", std::to_string(gray.body.id))
        .member("dataId", snapshot->key.data_id)
        .member("group", snapshot->key.group)
        .member("content", gray.body.content)
        .member("md5", gray.body.md5)
        .member("encryptedDataKey", nullptr)
        .member("tenant", snapshot->key.space)
        .member("appName", gray.body.app_name)
        .member("type", nullptr)
        .member("betaIps", gray.expression)
        .end();
    return out;
  }
  return "null";
}

/// Calls on the same path that later issues bring: search, export, …
bool asks_for_more(const common::params& params) {
  const auto word = params.get("search");
  return params.get("show") == "all" || word == "accurate" || word == "blur"
         || params.find("export") || params.find("exportV2")
         || params.find("import") || params.find("clone")
         || params.find("delType");
}

bool asks_for_beta(const common::params& params) {
  return params.get("beta") == "true";
}

awaitable<response> beta_get(context& c, key_view key) {
  const auto snapshot = co_await common::load_config(asker_of(c), key);
  if (!snapshot)
    co_return error_reply(family::config_v1, c.request,
                          to_api_error(snapshot.error()));
  auto answer = rest_result(200, "query beta ok", beta_json(snapshot->get()));
  answer.content_type = json_utf8_type;
  co_return answer;
}

awaitable<result<model::outcome>> remove(context& c, key_view key,
                                         std::string gray) {
  const auto& request = c.request;
  auto command = remove_command(key, gray, request.params().get("username"),
                                request.source_ip(), c.node.time().wall());
  co_return co_await common::change_config(asker_of(c), key,
                                           std::move(command));
}

awaitable<response> beta_stop(context& c, key_view key) {
  std::string gray{beta_gray_name};
  const auto done = co_await remove(c, key, std::move(gray));
  if (!done && done.error().code != errc::not_found)
    co_return error_reply(family::config_v1, c.request,
                          to_api_error(done.error()));
  const auto stopped = done && done->existed;
  auto answer = stopped ? rest_result(200, "stop beta ok", "true")
                        : rest_result(500, "remove beta data error", "false");
  answer.content_type = json_utf8_type;
  co_return answer;
}

awaitable<or_error<void>> remove_by_form(context& c, key_view key) {
  const auto tag = trim(c.request.params().get("tag"));
  auto gray = tag.empty() ? std::string{} : tag_gray_name(tag);
  const auto done = co_await remove(c, key, std::move(gray));
  if (!done && done.error().code != errc::not_found)
    co_return refuse(to_api_error(done.error()));
  co_return or_error<void>{};
}

awaitable<or_error<void>> publish(context& c, family of) {
  const auto form = read_publish(c, of);
  if (!form)
    co_return refuse(form.error());
  auto command =
      publish_command(*form, parts_of(c).rules, c.node.time().wall());
  const auto done = co_await common::change_config(asker_of(c), form->key,
                                                   std::move(command));
  if (done)
    co_return or_error<void>{};
  auto error = to_api_error(done.error());
  if (done.error().code == errc::aborted)
    error.text = "Cas publish fail, server md5 may have changed.";
  if (done.error().code == errc::out_of_range)
    error.code = wire_code::config_gray_over_max_version_count;
  if (of == family::config_v1) {
    error.text = "false";
    error.as = api_error::form::fixed;
  }
  co_return refuse(std::move(error));
}

response true_reply() {
  return http::reply(200, json_utf8_type, "true");
}

/// The found config as the v3 client API tells it (2.7).
std::string client_json(const config_snapshot& snapshot,
                        const chosen_version& chosen) {
  std::string out;
  common::json_out json(out);
  json.object()
      .member("resultCode", 200)
      .member("errorCode", 0)
      .member("message", nullptr)
      .member("requestId", nullptr)
      .member("content", chosen.body->content)
      .key("encryptedDataKey");
  if (chosen.gray)
    json.value(nullptr);
  else
    json.value(chosen.body->encrypted_data_key);
  json.member("contentType", type_of(snapshot, chosen))
      .member("md5", chosen.body->md5)
      .member("lastModified", chosen.body->modify_time_ms)
      .member("tag", nullptr)
      .member("beta", chosen.beta())
      .member("success", true)
      .end();
  return out;
}

} // namespace

awaitable<response> config_get_v1(context& c) {
  const auto& request = c.request;
  if (asks_for_more(request.params()))
    co_return no_endpoint(request);
  const auto key = read_config_key(c, config_names_v1);
  if (!key)
    co_return error_reply(family::config_v1, request, key.error());
  if (asks_for_beta(request.params()))
    co_return co_await beta_get(c, *key);
  const auto snapshot = co_await common::load_config(asker_of(c), *key);
  if (!snapshot)
    co_return error_reply(family::config_v1, request,
                          to_api_error(snapshot.error()));
  const auto* found = snapshot->get();
  if (found && found->grays.empty() && blank(request.params().get("tag")))
    co_return cached_content(*found);
  const auto chosen = choose_version(found, labels_of(request));
  if (!chosen.body)
    co_return text_reply(404, std::string{absent_text} + '\n');
  co_return content_reply(*found, chosen);
}

awaitable<response> config_publish_v1(context& c) {
  if (asks_for_more(c.request.params()))
    co_return no_endpoint(c.request);
  const auto done = co_await publish(c, family::config_v1);
  co_return done ? true_reply()
                 : error_reply(family::config_v1, c.request, done.error());
}

awaitable<response> config_remove_v1(context& c) {
  const auto& request = c.request;
  if (asks_for_more(request.params()))
    co_return no_endpoint(request);
  const auto key = read_config_key(c, config_names_v1);
  if (!key)
    co_return error_reply(family::config_v1, request, key.error());
  if (asks_for_beta(request.params()))
    co_return co_await beta_stop(c, *key);
  const auto done = co_await remove_by_form(c, *key);
  co_return done ? true_reply()
                 : error_reply(family::config_v1, request, done.error());
}

awaitable<response> config_get_v2(context& c) {
  const auto& request = c.request;
  const auto key = read_config_key(c, config_names_v2);
  if (!key)
    co_return error_reply(family::envelope, request, key.error());
  const auto snapshot = co_await common::load_config(asker_of(c), *key);
  if (!snapshot)
    co_return error_reply(family::envelope, request,
                          to_api_error(snapshot.error()));
  const auto chosen = choose_version(snapshot->get(), labels_of(request));
  if (!chosen.body)
    co_return error_reply(
        family::envelope, request,
        {404, wire_code::resource_not_found, std::string{absent_text}});
  std::string content;
  common::append_json_string(content, chosen.body->content);
  auto answer = envelope(content);
  answer.content_type = json_utf8_type;
  add_config_headers(answer, **snapshot, chosen);
  co_return answer;
}

awaitable<response> config_publish_v2(context& c) {
  const auto done = co_await publish(c, family::envelope);
  co_return done ? envelope("true")
                 : error_reply(family::envelope, c.request, done.error());
}

awaitable<response> config_remove_v2(context& c) {
  const auto key = read_config_key(c, config_names_v2);
  if (!key)
    co_return error_reply(family::envelope, c.request, key.error());
  const auto done = co_await remove_by_form(c, *key);
  co_return done ? envelope("true")
                 : error_reply(family::envelope, c.request, done.error());
}

awaitable<response> config_get_v3_client(context& c) {
  const auto& request = c.request;
  const auto key = read_config_key(c, config_names_v3_client);
  if (!key)
    co_return error_reply(family::envelope, request, key.error());
  const auto snapshot = co_await common::load_config(asker_of(c), *key);
  if (!snapshot)
    co_return error_reply(family::envelope, request,
                          to_api_error(snapshot.error()));
  // This API has no tag parameter.
  const auto chosen = choose_version(
      snapshot->get(),
      {request.source_ip(), {}, request.header("Vipserver-Tag")});
  if (!chosen.body)
    co_return soft_error(wire_code::resource_not_found);
  co_return envelope(client_json(**snapshot, chosen));
}

} // namespace muster::nacos
