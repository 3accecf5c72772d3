#include "protocols/nacos/http/read.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "protocols/nacos/codec/instance_json.hpp"
#include "protocols/nacos/codec/names.hpp"

namespace muster::nacos {

namespace {

api_error missing_form_text(std::string_view name) {
  return missing_form(name);
}

std::string_view trimmed(const common::params& params, std::string_view name) {
  return trim(params.get(name));
}

api_error missing_of(naming_names how, std::string_view name,
                     std::string_view type = "String") {
  switch (how) {
  case naming_names::v1:
    return missing_required(name);
  case naming_names::v2_argument:
  case naming_names::v2_grouped:
    return missing_argument(name, type);
  case naming_names::v2:
  case naming_names::v3:
    break;
  }
  return missing_form(name, type);
}

/// What Java's name filter says to a wire name with an empty half; it answers
/// v1 requests in the framework's own form.
api_error bad_grouped(naming_names how, bool group_is_empty) {
  const std::string why =
      group_is_empty
          ? "Param 'serviceName' is illegal, groupName can't be empty"
          : "Param 'serviceName' is illegal, it should be format as "
            "'groupName@@serviceName'";
  if (how != naming_names::v1)
    return invalid(why);
  return {400, wire_code::parameter_validate_error,
          "Service name filter error,caused: " + why + ';',
          api_error::form::spring};
}

std::string_view type_for(std::string_view name) {
  return name == "port" ? "Integer" : "String";
}

or_error<std::string_view> need_in(const http::request& request,
                                   naming_names how, std::string_view name) {
  const auto value = need(request.params(), name, [how](std::string_view n) {
    return missing_of(how, n, type_for(n));
  });
  if (!value)
    return value;
  return trim(*value);
}

/// `enabled`, or `enable` as Go and Python say.
std::optional<std::string_view> enabled_param(const common::params& params) {
  if (const auto value = params.find("enabled"))
    return value;
  return params.find("enable");
}

or_error<void> fill_flags(const http::request& request, naming::instance& out) {
  const auto& params = request.params();
  if (const auto text = trimmed(params, "weight"); !text.empty()) {
    const auto weight = read_weight(text);
    if (!weight)
      return refuse(weight.error());
    out.weight = *weight;
  }
  if (const auto flag = enabled_param(params); flag && !blank(*flag))
    out.enabled = truth(*flag);
  if (const auto flag = trimmed(params, "healthy"); !flag.empty())
    out.healthy = truth(flag);
  out.ephemeral = read_ephemeral(request);
  out.app = trimmed(params, "app");
  return {};
}

} // namespace

const config_names config_names_v1{"tenant", "group", family::config_v1,
                                   &missing_servlet, blanks::count};
const config_names config_names_v2{
    "namespaceId", "group", family::envelope,
    [](std::string_view name) { return missing_argument(name); },
    blanks::count};
const config_names config_names_v3_client{"namespaceId", "groupName",
                                          family::envelope, &missing_form_text,
                                          blanks::missing};

bool truth(std::string_view text) noexcept {
  constexpr std::array<std::string_view, 6> yes{"true", "on", "yes",
                                                "1",    "y",  "t"};
  const auto word = trim(text);
  return std::ranges::any_of(
      yes, [word](std::string_view y) { return same_letters(word, y); });
}

page_range range_of(const page& p, std::size_t total) noexcept {
  const auto skipped = p.number - 1;
  if (skipped > total / p.size)
    return {total, total};
  const auto begin = std::min(skipped * p.size, total);
  return {begin, begin + std::min(p.size, total - begin)};
}

or_error<key_view> read_config_key(const common::context& c,
                                   const config_names& names) {
  const auto& params = c.request.params();
  checked_names checked;
  checked.space = params.get(names.space);
  checked.group = params.get(names.group);
  checked.data_id = params.get("dataId");
  if (auto fault = check_names(checked, parts_of(c).rules))
    return refuse(illegal_name(std::move(*fault)));
  const auto data_id = need(params, "dataId", names.missing, names.when);
  if (!data_id)
    return refuse(data_id.error());
  const auto group = need(params, names.group, names.missing, names.when);
  if (!group)
    return refuse(group.error());
  for (const auto& [name, value] :
       {std::pair{"dataId", *data_id}, std::pair{"group", *group}})
    if (!valid_config_name(value))
      return refuse(
          invalid("invalid " + std::string{name} + " : " + std::string{value}));
  return key_view{space_or_public(checked.space), *group, *data_id};
}

or_error<config_form> read_publish(const common::context& c, family of) {
  const auto v1 = of == family::config_v1;
  auto names = v1 ? config_names_v1 : config_names_v2;
  if (!v1) {
    names.missing = &missing_form_text;
    names.when = blanks::missing;
  }
  const auto& request = c.request;
  const auto& params = request.params();
  const auto key = read_config_key(c, names);
  if (!key)
    return refuse(key.error());
  const auto content = need(params, "content", names.missing, names.when);
  if (!content)
    return refuse(content.error());
  config_form form;
  form.key = *key;
  form.content = *content;
  form.type = params.get("type");
  form.app_name = params.find("appName");
  form.tags = params.find(v1 ? "config_tags" : "configTags");
  form.description = params.get("desc");
  form.usage = params.get("use");
  form.effect = params.get("effect");
  form.schema = params.get("schema");
  form.encrypted_data_key = params.get("encryptedDataKey");
  form.user = params.get(v1 ? "src_user" : "srcUser", params.get("username"));
  form.source_ip = request.source_ip();
  form.cas_md5 = trim(request.header("casMd5"));
  form.beta_ips = request.header("betaIps");
  form.tag = params.get("tag");
  if (auto fine = check_form(form, parts_of(c).rules); !fine) {
    auto error = invalid(std::move(fine.error().text));
    if (v1 && fine.error().late) {
      error.text = "false";
      error.as = api_error::form::fixed;
    }
    return refuse(std::move(error));
  }
  return form;
}

or_error<void> check_naming(const common::context& c, naming_names how) {
  const auto& params = c.request.params();
  const auto name = trimmed(params, "serviceName");
  const auto parts =
      how == naming_names::v3 ? name_parts{{}, name} : split_grouped(name);
  if (how != naming_names::v3 && name.contains(group_separator)
      && (parts.group.empty() || parts.service.empty()))
    return refuse(bad_grouped(how, parts.group.empty()));
  checked_names checked;
  checked.space = trimmed(params, "namespaceId");
  checked.service = parts.service;
  checked.group =
      parts.group.empty() ? trimmed(params, "groupName") : parts.group;
  checked.clusters = trimmed(params, "clusters");
  checked.cluster = trimmed(params, "clusterName");
  if (checked.cluster.empty())
    checked.cluster = trimmed(params, "cluster");
  checked.ip = trimmed(params, "ip");
  checked.port = trimmed(params, "port");
  if (auto fault = check_names(checked, parts_of(c).rules))
    return refuse(illegal_name(std::move(*fault)));
  return {};
}

or_error<key_view> service_view_of(const http::request& request,
                                   std::string_view name, naming_names how) {
  const auto& params = request.params();
  const auto parts = how == naming_names::v3 ? name_parts{{}, trim(name)}
                                             : split_grouped(trim(name));
  if (how == naming_names::v2_grouped && parts.group.empty())
    return refuse(bad_grouped(how, false));
  auto group = parts.group.empty() ? trimmed(params, "groupName") : parts.group;
  if (group.empty())
    group = default_group;
  return key_view{space_or_public(params.get("namespaceId")), group,
                  parts.service};
}

or_error<key_view> read_service_view(const common::context& c,
                                     naming_names how) {
  return read_service_view(
      c, how, [how](std::string_view name) { return missing_of(how, name); });
}

service_key to_key(const key_view& view) {
  return {std::string{view.space}, std::string{view.group},
          std::string{view.name}};
}

std::string_view read_cluster(const common::params& params) noexcept {
  auto cluster = trim(params.get("clusterName"));
  if (cluster.empty())
    cluster = trim(params.get("cluster"));
  return cluster.empty() ? default_cluster : cluster;
}

or_error<instance_place> read_place(const http::request& request,
                                    naming_names how) {
  const auto ip = need_in(request, how, "ip");
  if (!ip)
    return refuse(ip.error());
  const auto port = need_in(request, how, "port");
  if (!port)
    return refuse(port.error());
  const auto number = parse_number<std::uint16_t>(*port);
  if (!number)
    return refuse(not_a_number(*port));
  return instance_place{*ip, *number, read_cluster(request.params())};
}

or_error<double> read_number(std::string_view text) {
  const auto value = parse_number<double>(trim(text));
  if (!value || !std::isfinite(*value))
    return refuse(not_a_number(text));
  return *value;
}

or_error<double> read_weight(std::string_view text) {
  const auto weight = read_number(text);
  if (!weight)
    return weight;
  if (!(*weight >= 0 && *weight <= 10'000))
    return refuse({400, wire_code::weight_error,
                   "instance format invalid: The weights range from 0.0 to "
                   "10000.0"});
  return *weight;
}

bool read_ephemeral(const http::request& request) {
  const auto flag = trim(request.params().get("ephemeral"));
  return flag.empty() || truth(flag);
}

or_error<naming::metadata_map> read_metadata(std::string_view text,
                                             wire_code code) {
  auto metadata = parse_metadata(text);
  if (!metadata)
    return refuse({400, code, std::move(metadata.error().message)});
  return std::move(*metadata);
}

or_error<naming::instance> read_instance(const common::context& c,
                                         naming_names how) {
  const auto& request = c.request;
  auto metadata = read_metadata(request.params().get("metadata"),
                                wire_code::instance_metadata_error);
  if (!metadata)
    return refuse(std::move(metadata.error()));
  if (auto fault = check_metadata(*metadata, parts_of(c).rules))
    return refuse(illegal_name(std::move(*fault)));
  const auto place = read_place(request, how);
  if (!place)
    return refuse(place.error());
  naming::instance instance;
  instance.ip = place->ip;
  instance.port = place->port;
  instance.cluster = place->cluster;
  instance.metadata = std::move(*metadata);
  if (auto fine = fill_flags(request, instance); !fine)
    return refuse(std::move(fine.error()));
  if (auto fault = check_instance(instance))
    return refuse({400, wire_code::instance_error, std::move(*fault)});
  return instance;
}

} // namespace muster::nacos
