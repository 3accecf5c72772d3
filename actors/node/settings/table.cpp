#include <array>
#include <concepts>
#include <limits>

#include "actors/core/base/host_port.hpp"
#include "actors/node/settings/keys.hpp"
#include "actors/node/settings/values.hpp"

/// The rows of the table of settings; the only place that knows which name sets
/// which member.
namespace muster::keys {
namespace {

using s = settings;
constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::uint64_t day_ms = 24ULL * 3600 * 1000;
constexpr std::uint64_t many = 1000000;

template <class Member>
void put(Member& member, std::uint64_t value) {
  if constexpr (std::integral<Member>)
    member = static_cast<Member>(value);
  else
    member = Member{static_cast<typename Member::rep>(value)};
}

/// A whole number, also of a duration's own unit.
template <auto Group, auto Member>
constexpr row number(std::string_view names, std::uint64_t low,
                     std::uint64_t high) {
  constexpr auto set = [](s& into, std::string_view text, const row& key) {
    const auto value = values::number(text);
    if (!value || *value < key.low || *value > key.high)
      return false;
    put(into.*Group.*Member, *value);
    return true;
  };
  return {.names = names, .does = effect::effective, .set = set, .low = low,
          .high = high, .shape = "a number"};
}

template <auto Group, auto Member>
constexpr row size(std::string_view names, std::uint64_t low,
                   std::uint64_t high) {
  constexpr auto set = [](s& into, std::string_view text, const row& key) {
    const auto value = values::size(text);
    if (!value || *value < key.low || *value > key.high)
      return false;
    put(into.*Group.*Member, *value);
    return true;
  };
  return {.names = names, .does = effect::effective, .set = set, .low = low,
          .high = high, .shape = "a size (bytes, or like 512KB, 10MB)"};
}

/// A number of MiB for a member in bytes.
template <auto Group, auto Member>
constexpr row mebibytes(std::string_view names, std::uint64_t low,
                        std::uint64_t high) {
  constexpr auto set = [](s& into, std::string_view text, const row& key) {
    const auto value = values::number(text);
    if (!value || *value < key.low || *value > key.high)
      return false;
    put(into.*Group.*Member, *value * mib);
    return true;
  };
  return {.names = names, .does = effect::effective, .set = set, .low = low,
          .high = high, .shape = "a number of MiB"};
}

template <auto Group, auto Member>
constexpr row flag(std::string_view names, effect does = effect::effective) {
  constexpr auto set = [](s& into, std::string_view text, const row&) {
    const auto value = values::flag(text);
    if (value)
      into.*Group.*Member = *value;
    return value.has_value();
  };
  return {.names = names, .does = does, .set = set, .shape = "true or false"};
}

template <auto Group, auto Member>
constexpr row choice(std::string_view names, std::string_view choices) {
  constexpr auto set = [](s& into, std::string_view text, const row& key) {
    const auto word = values::lower(text);
    for (auto each : values::split(key.choices, '|')) {
      const auto equal = each.find('=');
      if (each.substr(0, equal) != word)
        continue;
      into.*Group.*Member = equal == each.npos ? each : each.substr(equal + 1);
      return true;
    }
    return false;
  };
  return {.names = names, .does = effect::effective, .set = set,
          .choices = choices};
}

template <auto Group, auto Member>
constexpr row address(std::string_view names) {
  constexpr auto set = [](s& into, std::string_view text, const row&) {
    auto value = values::ip_address(text);
    if (value)
      into.*Group.*Member = std::move(*value);
    return value.has_value();
  };
  return {.names = names, .does = effect::effective, .set = set,
          .shape = "an IP address"};
}

template <auto Group, auto Member>
constexpr row host(std::string_view names) {
  constexpr auto set = [](s& into, std::string_view text, const row&) {
    auto value = parse_host(text);
    if (value)
      into.*Group.*Member = std::move(*value);
    return value.has_value();
  };
  return {.names = names, .does = effect::effective, .set = set,
          .shape = "a host name or an IP address"};
}

template <auto Group, auto Member>
constexpr row prefix(std::string_view names) {
  constexpr auto set = [](s& into, std::string_view text, const row&) {
    auto value = values::path_prefix(text);
    if (value)
      into.*Group.*Member = std::move(*value);
    return value.has_value();
  };
  return {.names = names, .does = effect::effective, .set = set,
          .shape = "a path of letters, digits and / _ - ."};
}

template <auto Group, auto Member>
constexpr row text(std::string_view names) {
  constexpr auto set = [](s& into, std::string_view value, const row&) {
    into.*Group.*Member = std::string(value);
    return true;
  };
  return {.names = names, .does = effect::effective, .set = set,
          .shape = "a text"};
}

template <auto Group, auto Member>
constexpr row hidden_text(std::string_view names) {
  constexpr auto set = [](s& into, std::string_view value, const row&) {
    (into.*Group.*Member).text = std::string(value);
    return true;
  };
  return {.names = names, .does = effect::effective, .set = set,
          .shape = "a text", .hidden = true};
}

/// The row's value is checked and kept, but nothing acts on it yet.
constexpr row not_yet(row key, std::string_view inert = {}) {
  key.does = effect::later;
  key.inert = inert;
  return key;
}

constexpr row later(std::string_view names, std::string_view inert = {}) {
  return {.names = names, .does = effect::later, .inert = inert};
}

constexpr row later_secret(std::string_view names) {
  return {.names = names, .does = effect::later, .hidden = true};
}

constexpr row accepted(std::string_view names) { return {.names = names}; }

constexpr row refused(std::string_view names, std::string_view inert) {
  return {.names = names, .does = effect::refused, .inert = inert};
}

constexpr std::uint64_t bytes_max = 1ULL << 40;
constexpr std::uint64_t second_max = day_ms / 1000;

constexpr std::array rows{
  // -- server ---------------------------------------------------------------
  // 64534 + 1001 is the last port there is.
  number<&s::server, &s::server_group::port>(
    "server.main.port|server.port", 1, 64534),
  prefix<&s::server, &s::server_group::context_path>(
    "server.context-path|server.servlet.context-path"),
  address<&s::server, &s::server_group::address>("server.address"),
  address<&s::server, &s::server_group::ip>(
    "server.ip|inetutils.ip-address"),
  flag<&s::server, &s::server_group::standalone>("standalone"),
  text<&s::cluster, &s::cluster_group::member_list>("member.list"),
  text<&s::cluster, &s::cluster_group::members_file>("cluster.conf"),
  choice<&s::cluster, &s::cluster_group::lookup>(
    "core.member.lookup.type|cluster.member.lookup.type",
    "file|address-server|standalone"),
  host<&s::cluster, &s::cluster_group::address_server_domain>(
    "address.server.domain|core.address-server.domain"),
  number<&s::cluster, &s::cluster_group::address_server_port>(
    "address.server.port|core.address-server.port", 1, 65535),
  prefix<&s::cluster, &s::cluster_group::address_server_url>(
    "address.server.url|core.address-server.url"),
  number<&s::cluster, &s::cluster_group::address_server_tries>(
    "core.address-server.retry", 1, 100),
  flag<&s::cluster, &s::cluster_group::plaintext>("cluster.plaintext"),
  text<&s::cluster, &s::cluster_group::tls_ca>("cluster.tls.ca"),
  text<&s::cluster, &s::cluster_group::tls_certificate>(
    "cluster.tls.certificate"),
  text<&s::cluster, &s::cluster_group::tls_key>("cluster.tls.key"),
  number<&s::cluster, &s::cluster_group::failures_max>(
    "core.member.fail-access-cnt", 1, 100),
  number<&s::cluster, &s::cluster_group::replace_after>(
    "cluster.replace-after", 0, second_max),
  text<&s::cluster, &s::cluster_group::datacenter>("datacenter"),
  text<&s::cluster, &s::cluster_group::region>("region"),
  text<&s::cluster, &s::cluster_group::zone>("zone"),
  number<&s::server, &s::server_group::drain_timeout>(
    "server.shutdown.drain-timeout", 1, 600),
  number<&s::http, &s::http_group::workers>("server.http.workers", 0, 256),
  number<&s::http, &s::http_group::keep_alive>(
    "server.http.keep-alive", 1, second_max),
  number<&s::http, &s::http_group::request_timeout>(
    "server.http.client-request-timeout", 1, second_max),
  number<&s::http, &s::http_group::head_timeout>(
    "server.http.head-timeout", 1, second_max),
  size<&s::http, &s::http_group::head_bytes_max>(
    "server.http.max-head-size|server.max-http-header-size"
    "|server.max-http-request-header-size",
    1024, mib),
  size<&s::http, &s::http_group::body_bytes_max>(
    "server.http.max-payload-size", 1024, 1024 * mib),
  number<&s::http, &s::http_group::connections_max>(
    "server.http.max-connections|server.tomcat.max-connections", 1, many),

  // -- gRPC -----------------------------------------------------------------
  number<&s::grpc, &s::grpc_group::port_offset>(
    "server.grpc.port.offset", 1, 64534),
  address<&s::grpc, &s::grpc_group::address>("remote.grpc.listen.ip"),
  size<&s::grpc, &s::grpc_group::inbound_bytes_max>(
    "remote.server.grpc.sdk.max-inbound-message-size"
    "|remote.server.grpc.maxinbound.message.size",
    1024, 1024 * mib),
  number<&s::grpc, &s::grpc_group::keep_alive_time>(
    "remote.server.grpc.sdk.keep-alive-time", 1000, day_ms),
  number<&s::grpc, &s::grpc_group::keep_alive_timeout>(
    "remote.server.grpc.sdk.keep-alive-timeout", 100, day_ms),
  number<&s::grpc, &s::grpc_group::permit_keep_alive_time>(
    "remote.server.grpc.sdk.permit-keep-alive-time", 0, day_ms),
  number<&s::grpc, &s::grpc_group::connections_max>(
    "server.grpc.max-connections|plugin.control.max-connections", 1, many),
  number<&s::grpc, &s::grpc_group::push_timeout>(
    "server.grpc.push-message-timeout", 10, day_ms),
  number<&s::grpc, &s::grpc_group::push_queue_max>(
    "server.grpc.bistream-channel-capacity", 1, many),
  number<&s::grpc, &s::grpc_group::connection_stale>(
    "server.grpc.connection-stale-ms", 100, day_ms),

  // -- naming ---------------------------------------------------------------
  flag<&s::naming, &s::naming_group::expire_instances>("naming.expireInstance"),
  number<&s::naming, &s::naming_group::push_delay>(
    "naming.push.pushTaskDelay", 0, 60000),
  flag<&s::naming, &s::naming_group::empty_service_auto_clean>(
    "naming.empty-service.auto-clean"),
  number<&s::naming, &s::naming_group::empty_service_expire>(
    "naming.clean.empty-service.expired-time", 0, day_ms),
  number<&s::naming, &s::naming_group::client_expire>(
    "naming.client.expired.time", 100, day_ms),
  number<&s::naming, &s::naming_group::metadata_chars_max>(
    "naming.service.metadata.length", 0, 1024 * 1024),
  number<&s::naming, &s::naming_group::fuzzy_patterns_max>(
    "naming.fuzzy.watch.max.pattern.count", 0, many),
  number<&s::naming, &s::naming_group::fuzzy_matches_max>(
    "naming.fuzzy.watch.max.pattern.match.service.count", 0, many),

  // -- config ---------------------------------------------------------------
  size<&s::config, &s::config_group::content_bytes_max>(
    "config.maxContent|maxContent", 1, 1024 * mib),
  number<&s::config, &s::config_group::retention_days>(
    "config.retention.days", 1, 36500),
  number<&s::config, &s::config_group::gray_versions_max>(
    "config.gray.version.max.count", 0, 1000),
  number<&s::config, &s::config_group::push_retries_max>(
    "config.push.maxRetryTime", 0, 10000),
  number<&s::config, &s::config_group::fuzzy_patterns_max>(
    "config.fuzzy.watch.max.pattern.count", 0, many),
  number<&s::config, &s::config_group::fuzzy_matches_max>(
    "config.fuzzy.watch.max.pattern.match.config.count", 0, many),

  // -- storage --------------------------------------------------------------
  text<&s::storage, &s::storage_group::data_dir>(
    "data.dir|persistence.embedded.data-dir"),
  number<&s::storage, &s::storage_group::partitions>(
    "storage.partitions", 1, 256),
  number<&s::storage, &s::storage_group::state_workers>(
    "storage.state-workers", 1, 64),
  size<&s::storage, &s::storage_group::config_cache_bytes>(
    "storage.config-cache-size", 0, bytes_max),
  mebibytes<&s::storage, &s::storage_group::block_cache_bytes>(
    "storage.rocksdb.block-cache-mb|rocksdb.block-cache-mb", 1, mib),
  mebibytes<&s::storage, &s::storage_group::write_buffer_bytes>(
    "storage.rocksdb.write-buffer-mb|rocksdb.write-buffer-mb", 1, 4096),
  number<&s::storage, &s::storage_group::snapshot_threshold>(
    "raft.snapshot-threshold", 1, 1ULL << 40),

  // -- log and metrics --------------------------------------------------------
  choice<&s::log, &s::log_group::level>(
    "log.level|logs.level",
    "trace|debug|info|warn|error|off|warning=warn|fatal=error"),
  choice<&s::log, &s::log_group::format>(
    "log.format", "plain|json|text=plain"),
  text<&s::log, &s::log_group::file>("log.file"),

  // -- auth -------------------------------------------------------------------
  flag<&s::auth, &s::auth_group::enabled>("core.auth.enabled"),
  flag<&s::auth, &s::auth_group::admin_enabled>("core.auth.admin.enabled"),
  flag<&s::auth, &s::auth_group::console_enabled>("core.auth.console.enabled"),
  not_yet(choice<&s::auth, &s::auth_group::system_type>(
            "core.auth.system.type",
            "nacos|ldap|oidc|default=nacos|oauth=oidc"),
          "nacos"),
  not_yet(text<&s::auth, &s::auth_group::identity_key>(
    "core.auth.server.identity.key")),
  not_yet(hidden_text<&s::auth, &s::auth_group::identity_value>(
    "core.auth.server.identity.value")),
  not_yet(hidden_text<&s::auth, &s::auth_group::token_secret>(
    "core.auth.plugin.nacos.token.secret.key"
    "|core.auth.plugin.default.token.secret.key"
    "|core.auth.default.token.secret.key")),
  not_yet(number<&s::auth, &s::auth_group::token_expire>(
    "core.auth.plugin.nacos.token.expire.seconds"
    "|core.auth.plugin.default.token.expire.seconds"
    "|core.auth.default.token.expire.seconds",
    1, 10 * 365 * second_max)),
  refused("core.auth.enable.userAgentAuthWhite", "false"),

  // -- which doors and checks -----------------------------------------------
  flag<&s::compatibility, &s::compatibility_group::client>(
    "core.api.compatibility.client.enabled"),
  flag<&s::compatibility, &s::compatibility_group::admin>(
    "core.api.compatibility.admin.enabled"),
  flag<&s::compatibility, &s::compatibility_group::console>(
    "core.api.compatibility.console.enabled"),
  flag<&s::check, &s::check_group::parameters>("core.param.check.enabled"),
  not_yet(flag<&s::check, &s::check_group::namespaces>(
      "core.namespace.validation.enabled"),
          "false"),

  // -- known, but of a later version ------------------------------------------
  later("functionMode", "all"),
  later("deployment.type", "merged"),
  later("inetutils.*"),
  later("inetutils.prefer-hostname-over-ip|preferHostnameOverIp", "false"),
  later("inetutils.use-only-site-local-interfaces", "false"),
  later("core.address-server.*|address.server.*"),
  later("core.member.meta.*"),
  later("console.*"),
  later("spring.servlet.multipart.*"),
  later_secret("core.auth.ldap.*|core.auth.plugin.oidc.*|core.auth.oauth.*"),
  later("core.auth.nacos.anonymous.ai.enabled"
        "|core.auth.default.anonymous.ai.enabled",
        "false"),
  later("isManageCapacity|config.capacity.manage-enabled", "false"),
  later("isCapacityLimitCheck|config.capacity.limit-check", "false"),
  later("defaultClusterQuota|config.capacity.default-cluster-quota"),
  later("defaultGroupQuota|config.capacity.default-group-quota"),
  later("defaultTenantQuota|config.capacity.default-tenant-quota"),
  later("defaultMaxSize|config.capacity.default-max-size"),
  later("defaultMaxAggrCount|config.capacity.default-max-aggr-count"),
  later("defaultMaxAggrSize|config.capacity.default-max-aggr-size"),
  later("naming.healthcheck.*"),
  later("core.protocol.raft.*|raft.*"),
  later("core.protocol.distro.*|cluster.distro.*|naming.distro.*"),
  later("cluster.circuit-breaker.*|cluster.health-check.*"
        "|cluster.member-report.*"),
  later("remote.server.grpc.cluster.*"),
  later_secret("remote.server.rpc.tls.*|remote.peer.rpc.tls.*"
               "|remote.server.grpc.tls.*|remote.server.grpc.sdk.tls.*"
               "|remote.client.grpc.cluster.tls.*|server.ssl.*|tls.*"),
  later("server.http.compression.*"),
  later("server.tomcat.accesslog.*|server.http.access-log.*"),
  later("server.tomcat.accesslog.enabled|server.http.access-log.enabled",
        "false"),
  later("spring.sql.init.platform|spring.datasource.platform|sql.init.platform"),
  later_secret("db.*|spring.datasource.*|mysql.service.*"),
  later("embeddedStorage|persistence.*", "embedded"),
  later("logs.path"),
  later("logs.console.enabled", "true"),
  later("logs.file.enabled", "false"),
  later("otel.*|metrics.*"),
  // Nacos' switch of its service discovery for Prometheus, /nacos/prometheus;
  // the metrics at /nacos/actuator/prometheus are another thing.
  later("prometheus.metrics.enabled", "false"),
  later("management.endpoints.web.exposure.include"),
  later("plugin.control.*|ratelimit.*"),
  later_secret("config.encryption.*"),
  later("core.config.plugin.*|config.plugin.*"),
  later("plugin.visibility.*|extension.ai.*|ai.*"),
  later("istio.*|mesh.*|xds.*"),
  later_secret("k8s.*"),
  later_secret("plugin.consul.*|consul.*"),
  later("plugin.apollo.*|apollo.*"),
  later("dns.*|lock.*"),
  later("locality-weight|replication-factor|cross-dc-replication"
        "|cross-dc-sync-delay-secs"),

  // -- read, no counterpart -------------------------------------------------
  accepted("server.grpc.*"), accepted("server.http.max-json-size"),
  accepted("server.shutdown.*"), accepted("rocksdb.*"),
  accepted("core.auth.caching.enabled"), accepted("core.auth.plugin.*"),
  accepted("console.ui.*"), accepted("config.push.*"),
  // Muster always loads before it serves.
  accepted("naming.data.warmup"),
  accepted("naming.empty-service.clean.initial-delay-ms"),
  // Each service goes at its own time; there is no pass over all of them.
  accepted("naming.clean.empty-service.interval"
           "|naming.empty-service.clean.period-time-ms"),
  accepted("naming.clean.expired-metadata.*|naming.push.*"),
  accepted("core.snowflake.*"), accepted("core.monitor.*"),
  accepted("security.ignore.urls"), accepted("correctUsageDelay"),
  accepted("initialExpansionPercent"), accepted("isHealthCheck"),
  accepted("maxHealthCheckFailCount|config.maxHealthCheckFailCount"),
  accepted("notifyConnectTimeout|config.notifyConnectTimeout"),
  accepted("notifySocketTimeout|config.notifySocketTimeout"),
  accepted("config.search.*|config.derby.*"),
  accepted("config.read-cache.*"),
  accepted("management.*|cmdb.*|server.error.*|server.servlet.*"
           "|server.tomcat.*|spring.*|logging.*|sys.*|remote.*"),
  accepted("home"), accepted("version"), accepted("debug"), accepted("ext.plugin.dirs"),
};

} // namespace

std::span<const row> table() { return rows; }

} // namespace muster::keys
