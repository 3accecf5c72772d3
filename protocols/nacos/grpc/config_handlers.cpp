#include "protocols/common/json_out.hpp"
#include "protocols/common/render_slots.hpp"
#include "protocols/nacos/codec/config_choice.hpp"
#include "protocols/nacos/codec/config_form.hpp"
#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/grpc/handlers.hpp"
#include "protocols/nacos/grpc/members.hpp"
#include "protocols/nacos/grpc/node_calls.hpp"

namespace muster::nacos::remote {

namespace {

/// Larger answers are made anew each time instead of being kept twice.
constexpr std::size_t kept_bytes_max = 64U << 10U;

/// The names all config requests carry; views into the body.
struct config_names {
  explicit config_names(members& in)
    : tenant(in.text("tenant")), group(in.text("group")),
      data_id(in.text("dataId")) {
    // nop
  }
  key_view key() const {
    return {space_or_public(tenant.value_or("")), group.value_or(""),
            data_id.value_or("")};
  }

  std::optional<std::string_view> tenant;
  std::optional<std::string_view> group;
  std::optional<std::string_view> data_id;
};

/// Why the names are refused, if they are (nacos-grpc B).
std::optional<reply> refuse_names(const request& r, const config_names& names) {
  checked_names checked;
  checked.space = names.tenant.value_or("");
  checked.data_id = names.data_id.value_or("");
  checked.group = names.group.value_or("");
  const auto fault = check_names(checked, r.rules);
  if (!fault)
    return std::nullopt;
  return bad(r, code::invalid, "Param check invalid:" + *fault);
}

/// Java says `null` for what is missing.
std::optional<reply> refuse_missing(const request& r,
                                    const config_names& names) {
  if (!names.data_id)
    return bad(r, code::invalid, "invalid dataId : null");
  if (!names.group)
    return bad(r, code::invalid, "invalid group : null");
  return std::nullopt;
}

// -- query --------------------------------------------------------------------

struct config_query {
  explicit config_query(const request& r)
    : in(r.body), names(in), tag(in.text_or("tag")) {
    if (blank(tag))
      tag = {};
  }
  std::optional<reply> refused(const request& r) const {
    if (!in.good())
      return malformed();
    if (auto wrong = refuse_missing(r, names))
      return wrong;
    return refuse_names(r, names);
  }

  members in;
  config_names names;
  std::string_view tag; ///< empty = none asked for
};

/// `tag` goes out only to those who asked for one: it makes Go's and Python's
/// parsers fail (6.3).
void write_tag(common::json_out& json, std::string_view tag) {
  if (!tag.empty())
    json.member("tag", tag);
}

reply not_there(const request& r, std::string_view tag) {
  std::string extra;
  common::json_out json(extra);
  json.raw(r.type.failure_members);
  write_tag(json, tag);
  return failure(r.type.answer, code::no_config, "config data not exist",
                 extra);
}

std::string found_members(const config_snapshot& s, const chosen_version& chosen,
                          std::string_view tag) {
  const auto& version = *chosen.body;
  std::string out;
  out.reserve(version.content.size() + 256);
  common::json_out json(out);
  json.member("content", version.content);
  if (!chosen.gray || !version.encrypted_data_key.empty())
    json.member("encryptedDataKey", version.encrypted_data_key);
  json.member("contentType", type_of(s, chosen));
  json.member("md5", version.md5);
  json.member("lastModified", version.modify_time_ms);
  json.member("beta", chosen.beta());
  write_tag(json, tag);
  return out;
}

reply answer_query(const request& r, const config_snapshot* s,
                   std::string_view tag) {
  const auto keep = s && s->grays.empty() && s->formal && tag.empty()
                    && s->formal->content.size() <= kept_bytes_max;
  if (keep)
    if (auto kept = s->rendered.find(common::config_slot::grpc_content))
      return {.type = r.type.answer, .encoded = std::move(kept)};
  const auto chosen = choose_version(
    s, {.source_ip = r.from.info().client_ip, .asked_tag = tag, .own_tag = {}});
  if (!chosen.body)
    return not_there(r, tag);
  auto found = good(r, found_members(*s, chosen, tag));
  if (keep)
    found.encoded = s->rendered.keep(common::config_slot::grpc_content,
                                     encode_envelope(found.type, found.body));
  return found;
}

} // namespace

std::optional<reply> query_config_quickly(request& r) {
  const config_query query(r);
  if (auto refused = query.refused(r))
    return refused;
  const auto known = r.node.configs().find(query.names.key());
  if (!known)
    return std::nullopt;
  return answer_query(r, known->get(), query.tag);
}

awaitable<reply> query_config(request& r) {
  const config_query query(r);
  const auto loaded =
      co_await common::load_config(asker_of(r), query.names.key());
  co_return loaded ? answer_query(r, loaded->get(), query.tag)
                   : bad(r, loaded.error());
}

// -- publish, remove ------------------------------------------------------------

namespace {

config_form read_form(const request& r, members& in, members& extra,
                      const config_names& names) {
  config_form form;
  form.key = names.key();
  form.content = in.text_or("content");
  form.cas_md5 = in.text_or("casMd5");
  form.type = extra.text_or("type");
  form.app_name = extra.text("appName");
  form.tags = extra.text("config_tags");
  form.description = extra.text_or("desc");
  form.usage = extra.text_or("use");
  form.effect = extra.text_or("effect");
  form.schema = extra.text_or("schema");
  form.encrypted_data_key = extra.text_or("encryptedDataKey");
  form.user = extra.text_or("src_user");
  form.tag = extra.text_or("tag");
  form.beta_ips = extra.text_or("betaIps");
  form.source_ip = r.from.info().client_ip;
  return form;
}

reply published(const request& r, const result<model::outcome>& outcome) {
  if (outcome)
    return good(r);
  if (outcome.error().code == errc::aborted)
    return bad(r, code::server,
               "Cas publish fail, server md5 may have changed.");
  return bad(r, code::server, outcome.error().message);
}

} // namespace

awaitable<reply> publish_config(request& r) {
  members in(r.body);
  const config_names names(in);
  const auto* additions = in.object("additionMap");
  const boost::json::object none;
  members extra(additions ? *additions : none);
  const auto form = read_form(r, in, extra, names);
  if (!in.good() || !extra.good())
    co_return malformed();
  if (auto refused = refuse_names(r, names))
    co_return std::move(*refused);
  if (auto refused = refuse_missing(r, names))
    co_return std::move(*refused);
  if (const auto fine = check_form(form, r.rules); !fine)
    co_return bad(r, fine.error().late ? code::server : code::invalid,
                  fine.error().text);
  auto command = publish_command(form, r.rules, r.node.time().wall());
  const auto outcome =
      co_await common::change_config(asker_of(r), form.key, std::move(command));
  co_return published(r, outcome);
}

awaitable<reply> remove_config(request& r) {
  members in(r.body);
  const config_names names(in);
  // The name of a gray (`beta`, `tag_blue`), though it is called a tag (6.6).
  const auto gray = trim(in.text_or("tag"));
  if (!in.good())
    co_return malformed();
  if (auto refused = refuse_names(r, names))
    co_return std::move(*refused);
  if (auto refused = refuse_missing(r, names))
    co_return std::move(*refused);
  const auto key = names.key();
  if (blank(key.name) || blank(key.group))
    co_return bad(r, code::server,
                  std::string{blank(key.name) ? "invalid dataId : "
                                              : "invalid group : "});
  auto command = remove_command(key, gray, {}, r.from.info().client_ip,
                                r.node.time().wall());
  const auto outcome =
      co_await common::change_config(asker_of(r), key, std::move(command));
  const auto missing = outcome ? !outcome->existed
                               : outcome.error().code == errc::not_found;
  if (missing && !gray.empty())
    co_return bad(r, code::server,
                  "there is no gray version " + std::string{gray});
  if (outcome || missing)
    co_return good(r);
  co_return bad(r, code::server, outcome.error().message);
}

// -- listen ---------------------------------------------------------------------

namespace {

struct listened_config {
  config_key key;
  bool tenant_blank = false;
  std::string tenant; ///< as sent
  std::optional<std::string> md5;
};

/// Reads one element of `configListenContexts`; the refusal if it is unusable.
std::optional<reply> read_context(const request& r,
                                  const boost::json::value& element,
                                  std::vector<listened_config>& into) {
  const auto* object = element.if_object();
  if (!object)
    return malformed();
  members in(*object);
  const config_names names(in);
  const auto md5 = in.text("md5");
  if (!in.good())
    return malformed();
  if (auto refused = refuse_names(r, names))
    return refused;
  if (auto refused = refuse_missing(r, names))
    return refused;
  const auto key = names.key();
  const auto tenant = names.tenant.value_or("");
  into.push_back({{std::string{key.space}, std::string{key.group},
                   std::string{key.name}},
                  blank(tenant),
                  std::string{tenant},
                  md5 ? std::optional<std::string>(*md5) : std::nullopt});
  return std::nullopt;
}

void write_changed(common::json_out& json, const listened_config& one) {
  json.object();
  json.member("group", one.key.group);
  json.member("dataId", one.key.data_id);
  // As the client spelled it: it finds its entry by this text (6.7).
  json.member("tenant", one.tenant);
  json.end();
}

awaitable<result<void>> register_watches(request& r,
                                         const std::vector<listened_config>& all,
                                         bool listen) {
  api::client_listen message{r.meta, {}, {}};
  auto& keys = listen ? message.add : message.remove;
  for (const auto& one : all) {
    keys.push_back(one.key);
    if (listen)
      r.from.note_tenant(one.key, one.tenant_blank);
    else
      r.from.forget_tenant(one.key);
  }
  const auto done = co_await ask_client(r, std::move(message));
  if (!done)
    co_return std::unexpected(done.error());
  co_return result<void>{};
}

} // namespace

awaitable<reply> listen_configs(request& r) {
  members in(r.body);
  const auto listen = in.flag("listen", true);
  const auto* contexts = in.array("configListenContexts");
  if (!in.good())
    co_return malformed();
  std::vector<listened_config> all;
  if (contexts)
    for (const auto& element : *contexts)
      if (auto refused = read_context(r, element, all))
        co_return std::move(*refused);
  // Registered first, compared second: no change can slip through between.
  if (!all.empty())
    if (const auto done = co_await register_watches(r, all, listen); !done)
      co_return bad(r, done.error());
  std::string changed;
  common::json_out json(changed);
  json.key("changedConfigs").array();
  const client_labels labels{.source_ip = r.from.info().client_ip,
                             .asked_tag = {},
                             .own_tag = r.wire.header("Vipserver-Tag")};
  for (const auto& one : all) {
    if (!listen)
      break;
    const auto now = co_await common::load_config(asker_of(r), one.key.view());
    if (!now)
      co_return bad(r, now.error());
    if (!one.md5 || *one.md5 != md5_for(now->get(), labels))
      write_changed(json, one);
  }
  json.end();
  co_return good(r, changed);
}

} // namespace muster::nacos::remote
