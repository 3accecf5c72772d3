#include "protocols/nacos/grpc/message_table.hpp"

#include <algorithm>
#include <array>

#include "protocols/nacos/grpc/handlers.hpp"

namespace muster::nacos::remote {

namespace {

using common::action;
using common::permission;
using common::resource;
using common::scope;

constexpr permission free_for_all{};
constexpr permission read_config{scope::open, action::read, resource::config};
constexpr permission write_config{scope::open, action::write, resource::config};
constexpr permission read_naming{scope::open, action::read, resource::naming};
constexpr permission write_naming{scope::open, action::write, resource::naming};

constexpr std::string_view no_config = R"("lastModified":0,"beta":false)";
constexpr std::string_view no_changes = R"("changedConfigs":[])";
constexpr std::string_view no_services = R"("count":0,"serviceNames":[])";
constexpr std::string_view no_info
  = R"("serviceInfo":{"name":"","groupName":"","clusters":"",)"
    R"("cacheMillis":10000,"hosts":[],"lastRefTime":0,"checksum":"",)"
    R"("allIps":false,"allIPs":false,"reachProtectionThreshold":false,)"
    R"("valid":true})";

/// Types that only servers send each other; this port refuses them.
constexpr message_type between_servers(std::string_view name,
                                       std::string_view answer) {
  return {name, answer, source::cluster, free_for_all};
}

/// Sorted by name. `ServerCheckRequest` is not here: it is answered before
/// anything is looked at.
constexpr std::array table{
  message_type{"BatchInstanceRequest", "BatchInstanceResponse", source::any,
               write_naming, nullptr, register_batch},
  message_type{"ConfigBatchListenRequest", "ConfigChangeBatchListenResponse",
               source::any, read_config, nullptr, listen_configs, no_changes},
  between_servers("ConfigChangeClusterSyncRequest",
                  "ConfigChangeClusterSyncResponse"),
  message_type{"ConfigFuzzyWatchRequest", "ConfigFuzzyWatchResponse",
               source::any, read_config, nullptr, watch_config_names},
  message_type{"ConfigPublishRequest", "ConfigPublishResponse", source::any,
               write_config, nullptr, publish_config},
  message_type{"ConfigQueryRequest", "ConfigQueryResponse", source::any,
               read_config, query_config_quickly, query_config, no_config},
  message_type{"ConfigRemoveRequest", "ConfigRemoveResponse", source::any,
               write_config, nullptr, remove_config},
  between_servers("DistroDataRequest", "DistroDataResponse"),
  message_type{"HealthCheckRequest", "HealthCheckResponse", source::any,
               free_for_all, check_health},
  message_type{"InstanceRequest", "InstanceResponse", source::any, write_naming,
               nullptr, change_instance},
  between_servers("MemberReportRequest", "MemberReportResponse"),
  message_type{"NamingFuzzyWatchRequest", "NamingFuzzyWatchResponse",
               source::any, read_naming, nullptr, watch_service_names},
  message_type{"PersistentInstanceRequest", "InstanceResponse", source::any,
               write_naming, nullptr, change_persistent_instance},
  between_servers("ServerLoaderInfoRequest", "ServerLoaderInfoResponse"),
  between_servers("ServerReloadRequest", "ServerReloadResponse"),
  message_type{"ServiceListRequest", "ServiceListResponse", source::any,
               read_naming, nullptr, list_service_names, no_services},
  message_type{"ServiceQueryRequest", "QueryServiceResponse", source::any,
               read_naming, query_service, nullptr, no_info},
  message_type{"SubscribeServiceRequest", "SubscribeServiceResponse",
               source::any, read_naming, nullptr, subscribe_service, no_info},
};

static_assert(std::ranges::is_sorted(table, {}, &message_type::name));

} // namespace

std::span<const message_type> message_types() noexcept {
  return table;
}

const message_type* find_message_type(std::string_view name) noexcept {
  const auto it = std::ranges::lower_bound(table, name, {}, &message_type::name);
  return it != table.end() && it->name == name ? &*it : nullptr;
}

} // namespace muster::nacos::remote
