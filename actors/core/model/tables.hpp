#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "actors/core/model/keys.hpp"
#include "actors/core/model/table.hpp"
#include "muster/command.pb.h"
#include "muster/record.pb.h"

/// The tables of a partition and the one way to make their keys. Key layouts
/// are part of the disk format.
namespace muster::model {

using config_table = table<table_id::config, pb::ConfigRecord>;
using gray_table = table<table_id::gray, pb::GrayRecord>;
using history_table = table<table_id::history, pb::HistoryRecord>;
using namespace_table = table<table_id::name_space, pb::NamespaceRecord>;
using service_table = table<table_id::service, pb::ServiceRecord>;
using instance_table = table<table_id::instance, pb::InstanceRecord>;
using override_table = table<table_id::instance_override, pb::OverrideRecord>;
using cluster_table = table<table_id::cluster, pb::MembershipRecord>;
using dedupe_table = table<table_id::dedupe, pb::DedupeRecord>;

/// Key of the only row of `cluster_table`.
inline constexpr std::string_view cluster_record_key = "cluster";
/// Members of a cluster at most.
inline constexpr int members_max = 64;

/// Key of a config; also the prefix of its grays and its history rows.
std::string key_of(const config_key& key);
std::string key_of(const pb::ConfigKey& key);

/// Key of a service; also the prefix of its instances and overrides.
std::string key_of(const service_key& key);
std::string key_of(const pb::ServiceKey& key);

/// Key of a gray: `config` is the config's key.
std::string gray_key(std::string_view config, std::string_view name);

/// Key of a history row. Holds ~nid, so that a scan meets the newest row first.
std::string history_key(std::string_view config, std::uint64_t nid);

/// Key in the history's time index; the value there is the config's key.
std::string history_time_key(std::uint64_t time_ms, std::uint64_t nid);

/// Key of an instance or override: `service` is the service's key. Without the
/// cluster it is the prefix of all that have this ip and port.
std::string endpoint_prefix(std::string_view service, std::string_view ip,
                            std::uint32_t port);
std::string endpoint_key(std::string_view service, std::string_view ip,
                         std::uint32_t port, std::string_view cluster);

config_key to_config_key(const pb::ConfigKey& key);
service_key to_service_key(const pb::ServiceKey& key);

/// The other way round; throws `state_error` (data_loss) for bytes that are no
/// such key.
config_key parse_config_key(std::string_view bytes);
service_key parse_service_key(std::string_view bytes);

/// Values of `config_count`: 8 bytes, big endian.
std::uint64_t parse_count(std::string_view bytes);

} // namespace muster::model
