#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/core/model/tables.hpp"

/// What readers ask of a partition's tables, beside `load_config`. All throw
/// `state_error` only, and cost what they return.
namespace muster::model {

/// Keys of a namespace's configs that have a formal version, in key order.
std::vector<config_key> list_configs(const state_reader& state,
                                     std::string_view space);

/// Number of formal configs by namespace, in namespace order.
std::vector<std::pair<std::string, std::uint64_t>>
config_counts(const state_reader& state);

/// History of one config, newest first: at most `limit` rows older than the row
/// `before` (a nid; 0 = from the newest).
std::vector<pb::HistoryRecord> list_history(const state_reader& state,
                                            const config_key& key,
                                            std::uint64_t before,
                                            std::size_t limit);

/// Namespace records by id, in id order.
std::vector<std::pair<std::string, pb::NamespaceRecord>>
list_namespaces(const state_reader& state);

/// Services of a namespace that have a record, in key order.
std::vector<service_key> list_services(const state_reader& state,
                                       std::string_view space);

/// The durable parts of one service.
struct stored_service {
  std::optional<pb::ServiceRecord> record;
  std::vector<pb::InstanceRecord> instances;
  struct overlaid {
    std::string ip;
    std::uint32_t port = 0;
    std::string cluster;
    pb::OverrideRecord values;
  };
  std::vector<overlaid> overrides;
};
stored_service load_service(const state_reader& state, const service_key& key);

} // namespace muster::model
