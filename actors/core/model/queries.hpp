#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/core/model/keys.hpp"
#include "actors/core/model/state_view.hpp"
#include "muster/record.pb.h"

/// Reads of a partition's tables beside `load_config`. Pure: what they see is
/// what the reader shows. They throw only `state_error`.
namespace muster::model {

/// Keys of the formal configs of one namespace, in key order.
std::vector<config_key> config_names(const state_reader& state,
                                     std::string_view space);

/// Formal configs by namespace id.
std::vector<std::pair<std::string, std::uint64_t>>
config_counts(const state_reader& state);

/// History rows of a config with nid < `before` (0 = from the newest), newest
/// first, at most `limit`.
std::vector<pb::HistoryRecord> history(const state_reader& state,
                                       const config_key& key,
                                       std::uint64_t before,
                                       std::size_t limit);

/// Namespace records in id order.
std::vector<std::pair<std::string, pb::NamespaceRecord>>
namespaces(const state_reader& state);

/// Who has been in the cluster; none before anybody entered.
std::optional<pb::MembershipRecord> membership(const state_reader& state);

/// Services of a namespace (empty = of all) that have a record, in key order.
std::vector<service_key> stored_services(const state_reader& state,
                                         std::string_view space);

std::optional<pb::ServiceRecord> service(const state_reader& state,
                                         const service_key& key);

/// Persistent instances of a service, in key order.
std::vector<pb::InstanceRecord> instances(const state_reader& state,
                                          const service_key& key);

/// An instance's overrides with the address they are for.
struct stored_override {
  std::string ip;
  std::uint32_t port = 0;
  std::string cluster;
  pb::OverrideRecord values;
};
std::vector<stored_override> overrides(const state_reader& state,
                                       const service_key& key);

} // namespace muster::model
