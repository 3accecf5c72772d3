#include "protocols/nacos/grpc/instance_request.hpp"

#include <array>
#include <optional>
#include <string>

#include <boost/json/serialize.hpp>

#include "actors/core/base/text.hpp"
#include "protocols/nacos/codec/instance_json.hpp"
#include "protocols/nacos/codec/names.hpp"

namespace muster::nacos::remote {

namespace {

reply param_fault(const request& r, std::string_view text) {
  return bad(r, code::invalid, "Param check invalid:" + std::string{text});
}

/// Numbers and flags sent as text, which clients' JSON libraries and ours read
/// differently, in their own form.
boost::json::object normalised(const boost::json::object& object) {
  boost::json::object out = object;
  for (const std::string_view name : {"port", "weight"}) {
    auto* value = out.if_contains(name);
    if (!value || !value->is_string())
      continue;
    if (const auto number = parse_number<double>(value->get_string()))
      *value = *number;
  }
  for (const std::string_view name : {"healthy", "enabled", "ephemeral"})
    if (auto* value = out.if_contains(name); value && value->is_string()) {
      const auto yes = value->get_string() == "true";
      if (yes || value->get_string() == "false")
        *value = yes;
    }
  for (const std::string_view name : {"ip", "clusterName", "instanceId"})
    if (auto* value = out.if_contains(name); value && value->is_primitive()
                                             && !value->is_string()
                                             && !value->is_null())
      *value = boost::json::string(boost::json::serialize(*value));
  return out;
}

/// Address, port and cluster as the parameter check sees them.
std::optional<reply> refuse_place(const request& r,
                                  const boost::json::object& object) {
  members in(object);
  const auto cluster = in.text_or("clusterName");
  const auto ip = in.text_or("ip");
  const auto port = in.text_or("port", "0");
  static_cast<void>(in.number("port", 0));
  if (!in.good())
    return malformed();
  checked_names checked;
  checked.cluster = cluster;
  checked.ip = ip;
  checked.port = port;
  if (const auto fault = check_names(checked, r.rules))
    return param_fault(r, *fault);
  return std::nullopt;
}

} // namespace

std::expected<service_key, reply> read_service(const request& r, members& in,
                                               needs_service needed,
                                               std::string_view clusters) {
  const auto space = in.text_or("namespace");
  const auto group = in.text_or("groupName");
  const auto service = in.text_or("serviceName");
  if (!in.good())
    return std::unexpected(malformed());
  checked_names checked;
  checked.space = space;
  checked.service = service;
  checked.group = group;
  checked.clusters = clusters;
  if (const auto fault = check_names(checked, r.rules))
    return std::unexpected(param_fault(r, *fault));
  if (needed == needs_service::yes && blank(service))
    return std::unexpected(
      bad(r, code::invalid,
          "Param 'serviceName' is illegal, serviceName is blank"));
  return service_key{std::string{space_or_public(space)},
                     std::string{blank(group) ? default_group : group},
                     std::string{service}};
}

std::expected<std::shared_ptr<const naming::instance>, reply>
read_instance(const request& r, const boost::json::object& object,
              const service_key& key, bool ephemeral) {
  if (auto refused = refuse_place(r, object))
    return std::unexpected(std::move(*refused));
  auto parsed = parse_instance(object);
  if (!parsed)
    parsed = parse_instance(normalised(object));
  if (!parsed)
    return std::unexpected(malformed());
  auto instance = std::make_shared<naming::instance>(std::move(*parsed));
  if (const auto fault = check_metadata(instance->metadata, r.rules))
    return std::unexpected(param_fault(r, *fault));
  if (const auto fault = check_instance(*instance))
    return std::unexpected(bad(r, code::invalid, *fault));
  instance->ephemeral = ephemeral;
  instance->app = r.wire.header("app");
  if (instance->instance_id.empty())
    instance->instance_id = make_instance_id(*instance, grouped_name(key));
  return instance;
}

} // namespace muster::nacos::remote
