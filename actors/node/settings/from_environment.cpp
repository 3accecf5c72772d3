#include <algorithm>
#include <array>

#include "actors/node/settings/keys.hpp"
#include "actors/node/settings/source.hpp"
#include "actors/node/settings/values.hpp"

/// Names of Nacos' Docker image and of Batata, and Spring's spelling of keys.
namespace muster::source {
namespace {

struct renamed {
  std::string_view variable;
  std::string_view key;
};

/// Names that the flattening of keys.hpp does not lead to their row.
constexpr std::array docker_names{
  renamed{"FUNCTION_MODE", "functionMode"},
  renamed{"MEMBER_LIST", "member.list"},
  renamed{"address_server_domain", "address.server.domain"},
  renamed{"address_server_port", "address.server.port"},
  renamed{"address_server_url", "address.server.url"},
  renamed{"EMBEDDED_STORAGE", "embeddedStorage"},
  renamed{"DATABASE_URL", "db.url"},
  renamed{"MYSQL_DATABASE_NUM", "db.num"},
  renamed{"NACOS_APPLICATION_PORT", "server.main.port"},
  renamed{"NACOS_CONSOLE_CONTEXTPATH", "console.contextPath"},
  renamed{"NACOS_AUTH_ENABLE", "core.auth.enabled"},
  renamed{"NACOS_AUTH_ADMIN_ENABLE", "core.auth.admin.enabled"},
  renamed{"NACOS_AUTH_CONSOLE_ENABLE", "core.auth.console.enabled"},
  renamed{"NACOS_AUTH_SYSTEM_TYPE", "core.auth.system.type"},
  renamed{"NACOS_AUTH_TOKEN", "core.auth.plugin.nacos.token.secret.key"},
  renamed{"NACOS_AUTH_TOKEN_EXPIRE_SECONDS",
          "core.auth.plugin.nacos.token.expire.seconds"},
  renamed{"NACOS_AUTH_IDENTITY_KEY", "core.auth.server.identity.key"},
  renamed{"NACOS_AUTH_IDENTITY_VALUE", "core.auth.server.identity.value"},
  renamed{"NACOS_AUTH_CACHE_ENABLE", "core.auth.caching.enabled"},
  renamed{"NACOS_AUTH_USER_AGENT_AUTH_WHITE_ENABLE",
          "core.auth.enable.userAgentAuthWhite"},
  renamed{"NACOS_AUTH_ALLOW_ANONYMOUS_AI_ENABLED",
          "core.auth.nacos.anonymous.ai.enabled"},
  renamed{"TOMCAT_ACCESSLOG_ENABLED", "server.tomcat.accesslog.enabled"},
  renamed{"USE_ONLY_SITE_INTERFACES",
          "inetutils.use-only-site-local-interfaces"},
  renamed{"PREFERRED_NETWORKS", "inetutils.preferred-networks"},
  renamed{"IGNORED_INTERFACES", "inetutils.ignored-interfaces"},
};

/// Families of keys that Nacos has without its prefix, so that their Spring
/// names stand alone; any other name without a product's prefix is not ours.
constexpr std::array<std::string_view, 7> spring_families{
  "SERVER_",         "SPRING_", "DB_",  "MYSQL_SERVICE_", "MANAGEMENT_",
  "ADDRESS_SERVER_", "OTEL_",
};

/// What a r-nacos user would look for here.
constexpr std::array rnacos_names{
  renamed{"RNACOS_HTTP_PORT", "MUSTER_SERVER_MAIN_PORT"},
  renamed{"RNACOS_GRPC_PORT", "MUSTER_SERVER_GRPC_PORT_OFFSET"},
  renamed{"RNACOS_HTTP_WORKERS", "MUSTER_SERVER_HTTP_WORKERS"},
  renamed{"RNACOS_CONFIG_MAX_CONTENT", "MUSTER_CONFIG_MAXCONTENT"},
  renamed{"RNACOS_CONFIG_DB_DIR", "MUSTER_DATA_DIR"},
  renamed{"RNACOS_DATA_DIR", "MUSTER_DATA_DIR"},
  renamed{"RNACOS_ENABLE_OPEN_API_AUTH", "MUSTER_CORE_AUTH_ENABLED"},
};

/// Who counts more; higher wins.
enum class rank : std::uint8_t { none, spring, docker, nacos, batata, muster };

struct candidate {
  rank weight;
  entry found;
};

std::string_view find_renamed(auto& names, std::string_view variable) {
  const auto at = std::ranges::find(names, variable, &renamed::variable);
  return at == std::end(names) ? std::string_view{} : at->key;
}

rank rank_of(std::string_view variable) {
  const auto name = values::lower(variable);
  if (name.starts_with("muster_"))
    return rank::muster;
  if (name.starts_with("batata_"))
    return rank::batata;
  if (name.starts_with("nacos_"))
    return rank::nacos;
  const bool spring
    = std::ranges::any_of(spring_families, [&](std::string_view family) {
        return variable.starts_with(family);
      });
  return spring && keys::find(variable) != nullptr ? rank::spring : rank::none;
}

/// Kubernetes describes a service `nacos-server` by NACOS_SERVER_PORT=tcp://…
bool is_service_link(std::string_view value) {
  return value.starts_with("tcp://") || value.starts_with("udp://");
}

candidate translate(const std::string& variable, const std::string& value) {
  const auto place = "environment " + variable;
  if (variable == "MODE")
    return {rank::docker,
            {"standalone",
             values::lower(value) == "standalone" ? "true" : "false", place}};
  if (variable == "PREFER_HOST_MODE")
    return {rank::docker,
            {"inetutils.prefer-hostname-over-ip",
             values::lower(value) == "hostname" ? "true" : "false", place}};
  if (variable == "NACOS_SERVERS") {
    auto list = value;
    std::ranges::replace(list, ' ', ',');
    return {rank::docker, {"member.list", list, place}};
  }
  if (const auto key = find_renamed(docker_names, variable); !key.empty())
    return {rank::docker, {std::string(key), value, place}};
  return {rank_of(variable), {variable, value, place}};
}

void warn_rnacos(const std::string& variable,
                 std::vector<std::string>& warnings) {
  const auto ours = find_renamed(rnacos_names, variable);
  warnings.push_back("environment " + variable + ": not read"
                     + (ours.empty() ? std::string()
                                     : "; Muster's name is "
                                         + std::string(ours)));
}

} // namespace

entries from_environment(const process_environment& variables,
                         std::vector<std::string>& warnings) {
  std::vector<candidate> all;
  for (const auto& [variable, value] : variables) {
    if (variable.starts_with("RNACOS_"))
      warn_rnacos(variable, warnings);
    else if (!value.empty() && !is_service_link(value))
      all.push_back(translate(variable, value));
  }
  std::ranges::stable_sort(all, {}, &candidate::weight);
  entries out;
  for (auto& [weight, found] : all)
    if (weight != rank::none)
      out.push_back(std::move(found));
  return out;
}

} // namespace muster::source
