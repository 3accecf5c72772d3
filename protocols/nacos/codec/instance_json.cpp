#include "protocols/nacos/codec/instance_json.hpp"

#include <boost/json.hpp>

#include "protocols/common/json.hpp"
#include "protocols/nacos/codec/heartbeat.hpp"
#include "protocols/nacos/codec/names.hpp"

namespace muster::nacos {

namespace json = boost::json;
using common::json_out;

namespace {

constexpr std::string_view id_generator_key = "preserved.instance.id.generator";

/// The milliseconds for which clients may keep a list. (nacos-http 3.7)
constexpr unsigned cache_ms = 10'000;

/// Java leaves the generator's name out if there is metadata without it; the
/// recorded answers do so too.
void write_generator(json_out& out, const naming::metadata_map& metadata) {
  const auto it = metadata.find(id_generator_key);
  if (it != metadata.end())
    out.member("instanceIdGenerator", it->second);
  else if (metadata.empty())
    out.member("instanceIdGenerator", "simple");
}

void write_head(json_out& out, const key_view& key, std::string_view grouped,
                std::string_view clusters, const list_form& form) {
  out.object()
      .member("name", form.grouped_name ? grouped : key.name)
      .member("groupName", key.group)
      .member("clusters", clusters)
      .member("cacheMillis", cache_ms)
      .key("hosts")
      .array();
}

void write_tail(json_out& out, std::uint64_t last_ref_ms, bool protect) {
  out.end()
      .member("lastRefTime", last_ref_ms)
      .member("checksum", "")
      // 3.x calls it allIps, clients of 1.x and Go read allIPs.
      .member("allIps", false)
      .member("allIPs", false)
      .member("reachProtectionThreshold", protect)
      .member("valid", true)
      .end();
}

/// A JSON member that may be a text, a number or a boolean, as text.
std::string as_text(const json::value& value) {
  return value.is_string() ? std::string{value.get_string()}
                           : json::serialize(value);
}

naming::metadata_map from_object(const json::object& object) {
  naming::metadata_map map;
  for (const auto& [key, value] : object)
    if (!value.is_null())
      map.insert_or_assign(std::string{key}, as_text(value));
  return map;
}

bool read_double(const json::value& value, double& out) {
  std::error_code fault;
  const auto number = value.to_number<double>(fault);
  if (!fault)
    out = number;
  return !fault;
}

bool read_port(const json::value& value, std::uint16_t& out) {
  std::error_code fault;
  const auto number = value.to_number<std::uint16_t>(fault);
  if (!fault)
    out = number;
  return !fault;
}

bool read_bool(const json::value& value, bool& out) {
  if (value.is_bool())
    out = value.get_bool();
  return value.is_bool();
}

bool read_string(const json::value& value, std::string& out) {
  if (value.is_string())
    out = value.get_string();
  return value.is_string();
}

/// Takes one member over; false if it has a wrong type.
bool read_member(std::string_view name, const json::value& value,
                 naming::instance& into) {
  if (value.is_null())
    return true;
  if (name == "ip")
    return read_string(value, into.ip);
  if (name == "port")
    return read_port(value, into.port);
  if (name == "weight")
    return read_double(value, into.weight);
  if (name == "healthy")
    return read_bool(value, into.healthy);
  if (name == "enabled")
    return read_bool(value, into.enabled);
  if (name == "ephemeral")
    return read_bool(value, into.ephemeral);
  if (name == "clusterName" || name == "cluster")
    return read_string(value, into.cluster);
  if (name == "instanceId")
    return read_string(value, into.instance_id);
  if (name != "metadata")
    return true;
  if (!value.is_object())
    return false;
  into.metadata = from_object(value.get_object());
  return true;
}

} // namespace

void write_metadata(json_out& out, const naming::metadata_map& metadata) {
  out.object();
  for (const auto& [key, value] : metadata)
    out.member(key, value);
  out.end();
}

void write_instance(json_out& out, const naming::instance& instance,
                    std::string_view grouped, bool show_healthy,
                    bool with_valid) {
  const auto times = heartbeat_times(instance.metadata);
  const auto healthy = show_healthy || instance.healthy;
  out.object()
      .member("instanceId", instance.instance_id)
      .member("ip", instance.ip)
      .member("port", instance.port)
      .member("weight", instance.weight)
      .member("healthy", healthy);
  if (with_valid)
    out.member("valid", healthy);
  out.member("enabled", instance.enabled)
      .member("ephemeral", instance.ephemeral)
      .member("clusterName", instance.cluster)
      .member("serviceName", grouped)
      .key("metadata");
  write_metadata(out, instance.metadata);
  out.member("instanceHeartBeatInterval", times.interval.count())
      .member("instanceHeartBeatTimeOut", times.timeout.count())
      .member("ipDeleteTimeout", times.remove_after.count());
  write_generator(out, instance.metadata);
  out.end();
}

void write_service_info(json_out& out, const naming::service_view& view,
                        const naming::selection& wanted,
                        const list_form& form) {
  const auto grouped = grouped_name(view.key);
  const auto chosen = naming::select(view, wanted);
  write_head(out, view.key.view(), grouped, wanted.clusters, form);
  for (const auto& host : chosen.hosts)
    write_instance(out, *host->shown, grouped, chosen.protect, form.with_valid);
  write_tail(out, view.last_ref_ms, chosen.protect);
}

void write_empty_service_info(json_out& out, const key_view& key,
                              std::string_view clusters, std::uint64_t now_ms,
                              const list_form& form) {
  write_head(out, key, grouped_name(key.group, key.name), clusters, form);
  write_tail(out, now_ms, false);
}

result<naming::metadata_map> parse_metadata(std::string_view text) {
  const auto wrong = [text] {
    return fail(errc::invalid_argument,
                "metadata format incorrect:" + std::string{text});
  };
  const auto trimmed = trim(text);
  if (trimmed.empty() || trimmed == "None")
    return naming::metadata_map{};
  if (trimmed.front() == '{') {
    const auto value = common::parse_json(trimmed);
    if (!value || !value->is_object())
      return wrong();
    return from_object(value->get_object());
  }
  naming::metadata_map map;
  for (auto rest = trimmed;;) {
    const auto comma = rest.find(',');
    const auto pair = rest.substr(0, comma);
    const auto sign = pair.find('=');
    if (sign == std::string_view::npos)
      return wrong();
    map.insert_or_assign(std::string{pair.substr(0, sign)},
                         std::string{pair.substr(sign + 1)});
    if (comma == std::string_view::npos)
      return map;
    rest.remove_prefix(comma + 1);
  }
}

result<naming::instance> parse_instance(const json::object& object) {
  naming::instance instance;
  for (const auto& [name, value] : object)
    if (!read_member(name, value, instance))
      return fail(errc::invalid_argument, "instance: member '"
                                              + std::string{name}
                                              + "' has the wrong type");
  if (blank(instance.cluster))
    instance.cluster = default_cluster;
  return instance;
}

std::string make_instance_id(const naming::instance& instance,
                             std::string_view grouped) {
  std::string id = instance.ip;
  id += '#';
  id += std::to_string(instance.port);
  id += '#';
  id += instance.cluster;
  id += '#';
  id += grouped;
  return id;
}

} // namespace muster::nacos
