#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>

#include "actors/core/naming/view.hpp"
#include "protocols/nacos/grpc/members.hpp"
#include "protocols/nacos/grpc/message_table.hpp"

/// Reading what naming requests name. Source: nacos-grpc 7.1, 7.4, B.
namespace muster::nacos::remote {

enum class needs_service : std::uint8_t { no, yes };

/// `namespace`, `groupName` and `serviceName` with their defaults, checked
/// together with a list of clusters; or the refusal.
std::expected<service_key, reply> read_service(const request& r, members& in,
                                               needs_service needed,
                                               std::string_view clusters = {});

/// One instance, checked and complete; or the refusal. The message decides about
/// `ephemeral`, not what the instance says of itself.
std::expected<std::shared_ptr<const naming::instance>, reply>
read_instance(const request& r, const boost::json::object& object,
              const service_key& key, bool ephemeral);

} // namespace muster::nacos::remote
