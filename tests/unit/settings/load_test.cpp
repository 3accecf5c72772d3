#include <doctest/doctest.h>

#include "tests/unit/settings/load_helper.hpp"
#include "tests/unit/settings/temp_file.hpp"

using namespace muster;
using test::load;
using test::temp_file;

namespace {

/// The one warning or error line that holds `part`, else "".
std::string line_with(const std::vector<std::string>& lines,
                      std::string_view part) {
  for (const auto& line : lines)
    if (line.find(part) != std::string::npos)
      return line;
  return {};
}

} // namespace

TEST_CASE("order of precedence") {
  const temp_file file(".yml", "nacos.server.main.port: 1001\n");
  const std::vector<std::pair<std::string, std::string>> all_variables{
    {"SERVER_MAIN_PORT", "1002"},       {"NACOS_APPLICATION_PORT", "1003"},
    {"NACOS_SERVER_MAIN_PORT", "1004"}, {"BATATA_SERVER_MAIN_PORT", "1005"},
    {"MUSTER_SERVER_MAIN_PORT", "1006"}};
  const struct {
    const char* name;
    bool with_file;
    std::size_t variables; ///< the first so many of all_variables
    std::vector<std::string> flags;
    int port;
  } rows[] = {
    {"nothing", false, 0, {}, 8848},
    {"file", true, 0, {}, 1001},
    {"Spring's name", true, 1, {}, 1002},
    {"name of the Docker image", true, 2, {}, 1003},
    {"NACOS_", true, 3, {}, 1004},
    {"BATATA_", true, 4, {}, 1005},
    {"MUSTER_", true, 5, {}, 1006},
    {"flag", true, 5, {"--port", "1007"}, 1007},
    {"dotted flag", true, 5, {"--nacos.server.main.port=1008", "--port=1007"},
     1008},
    {"-D", true, 5, {"-Dnacos.server.main.port=1008", "--port=1007"}, 1008},
    {"the last dotted one", false, 0,
     {"-Dserver.port=1008", "--server.main.port=1009"}, 1009},
  };
  for (const auto& row : rows) {
    CAPTURE(row.name);
    auto flags = row.flags;
    if (row.with_file)
      flags.insert(flags.begin(), {"--config", file.path()});
    const auto count = static_cast<std::ptrdiff_t>(row.variables);
    // Reversed: the order in the environment must not matter.
    process_environment variables(all_variables.rend() - count, all_variables.rend());
    const auto loaded = load(flags, variables);
    REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().message));
    CHECK(loaded->values.server.port == row.port);
    CHECK(loaded->values.sdk_port() == row.port + 1000);
    CHECK(loaded->values.cluster_port() == row.port + 1001);
  }
}

TEST_CASE("values of every type reach their member") {
  const temp_file file(".properties",
                       "nacos.server.contextPath=/x/\n"
                       "nacos.remote.server.grpc.sdk.max-inbound-message-size"
                       "=20MB\n"
                       "nacos.naming.push.pushTaskDelay=500\n"
                       "nacos.naming.expireInstance=false\n"
                       "batata.rocksdb.block_cache_mb=7\n"
                       "logs.level=WARN\n"
                       "server.address=127.0.0.1\n"
                       "data.dir=/var/lib/muster\n");
  const auto loaded = load({"-c", file.path()});
  REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().message));
  const auto& values = loaded->values;
  CHECK(loaded->file == file.path());
  CHECK(loaded->warnings.empty());
  CHECK(values.server.context_path == "/x");
  CHECK(values.grpc.inbound_bytes_max == 20971520);
  CHECK(values.naming.push_delay == settings::milliseconds(500));
  CHECK(!values.naming.expire_instances);
  CHECK(values.storage.block_cache_bytes == 7340032);
  CHECK(values.log.level == "warn");
  CHECK(values.server.address == "127.0.0.1");
  CHECK(values.grpc_address() == "127.0.0.1");
  CHECK(values.storage.data_dir == "/var/lib/muster");
}

TEST_CASE("an unknown key is one warning with its line") {
  const temp_file file(".yml", "server.main.port: 2000\n"
                               "nacos:\n"
                               "  no:\n"
                               "    such: 1\n"
                               "NO_SUCH: 2\n");
  const auto loaded = load({"--config", file.path()});
  REQUIRE(loaded);
  REQUIRE(loaded->warnings.size() == 1);
  CHECK(loaded->warnings[0]
        == file.path() + ":4: nacos.no.such: unknown setting, ignored");
  CHECK(loaded->values.server.port == 2000);
}

TEST_CASE("wrong values are named with key, value and line") {
  const temp_file file(".yml", "server.main.port: many\n"
                               "naming.push.pushTaskDelay: 60001\n"
                               "log.level: loud\n"
                               "nacos.naming.expireInstance: perhaps\n"
                               "core.auth.plugin.nacos.token.expire.seconds: 0\n"
                               "config.retention.days: -1\n");
  const auto loaded = load({"--config", file.path()});
  REQUIRE(!loaded);
  CHECK(loaded.error().code == errc::invalid_argument);
  const auto at = file.path() + ":";
  CHECK(loaded.error().message
        == at + "1: server.main.port: 'many' is wrong: wanted is a number from 1"
                " to 64534\n"
             + at + "2: naming.push.pushTaskDelay: '60001' is wrong: wanted is a"
                    " number from 0 to 60000\n"
             + at + "3: log.level: 'loud' is wrong: wanted is one of trace debug"
                    " info warn error off warning fatal\n"
             + at + "4: nacos.naming.expireInstance: 'perhaps' is wrong: wanted"
                    " is true or false\n"
             + at + "5: core.auth.plugin.nacos.token.expire.seconds: '0' is"
                    " wrong: wanted is a number from 1 to 315360000\n"
             + at + "6: config.retention.days: '-1' is wrong: wanted is a number"
                    " from 1 to 36500");
}

TEST_CASE("a wrong value is wrong even if a stronger one hides it") {
  const temp_file file(".yml", "server.main.port: many\n");
  CHECK(!load({"--config", file.path(), "--port", "2000"}));
}

TEST_CASE("wrong values from the environment and the command line") {
  auto loaded = load({}, {{"MUSTER_SERVER_MAIN_PORT", "0"}});
  REQUIRE(!loaded);
  CHECK(loaded.error().message.starts_with(
    "environment MUSTER_SERVER_MAIN_PORT: "));
  for (const char* port : {"0", "64535", "65536", "x", "-5", "8848 "}) {
    CAPTURE(port);
    const bool only_blank = std::string_view(port) == "8848 ";
    CHECK(load({"--port", port}).has_value() == only_blank);
  }
  CHECK(!load({"--prot", "2000"}));
  CHECK(!load({"stray"}));
  CHECK(!load({"--mode", "both"}));
  CHECK(!load({"--bind", "example.org"}));
}

TEST_CASE("ports that do not exist") {
  CHECK(!load({"--port", "64000", "--server.grpc.port.offset=2000"}));
  CHECK(load({"--port", "64534"}));
}

TEST_CASE("later and refused settings are never silent") {
  const struct {
    const char* argument;
    bool warns;
  } rows[] = {
      {"--nacos.k8s.sync.enabled=true", true},
      {"--nacos.core.auth.ldap.userDn=x", true},
      {"--nacos.core.protocol.raft.data.election_timeout_ms=5000", true},
      {"--nacos.functionMode=config", true},
      {"--nacos.functionMode=all", false},
      {"--nacos.deployment.type=", false},
      {"--nacos.core.auth.enable.userAgentAuthWhite=true", true},
      {"--nacos.core.auth.enable.userAgentAuthWhite=false", false},
      {"--db.url.0=jdbc:mysql://x", true},
      {"--nacos.cmdb.dumpTaskInterval=3600", false},
      {"--spring.jmx.enabled=false", false},
      {"--nacos.standalone=false", true},
      {"--nacos.core.param.check.enabled=false", false},
      {"--nacos.core.namespace.validation.enabled=true", true},
      {"--nacos.prometheus.metrics.enabled=true", true},
      {"--nacos.prometheus.metrics.enabled=false", false},
      {"--nacos.naming.clean.empty-service.interval=1000", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.argument);
    const auto loaded = load({row.argument});
    REQUIRE(loaded);
    CHECK(loaded->warnings.size() == (row.warns ? 1 : 0));
  }
}

TEST_CASE("limits and times that Nacos and Batata have are read") {
  const auto loaded = load({"--server.http.max-payload-size=1MB",
                            "--nacos.config.maxContent=2MB",
                            "--nacos.config.gray.version.max.count=3",
                            "--nacos.config.push.maxRetryTime=4",
                            "--nacos.naming.service.metadata.length=5",
                            "--nacos.naming.client.expired.time=6000",
                            "--naming.empty-service.auto-clean=false",
                            "--nacos.remote.server.grpc.sdk."
                            "permit-keep-alive-time=7000",
                            "--server.grpc.connection-stale-ms=8000",
                            "--nacos.core.param.check.enabled=false"});
  REQUIRE(loaded);
  CHECK(loaded->warnings.empty());
  const auto& s = loaded->values;
  CHECK(s.http.body_bytes_max == 1048576);
  CHECK(s.config.content_bytes_max == 2097152);
  CHECK(s.config.gray_versions_max == 3);
  CHECK(s.config.push_retries_max == 4);
  CHECK(s.naming.metadata_chars_max == 5);
  CHECK(s.naming.client_expire == std::chrono::seconds(6));
  CHECK(!s.naming.empty_service_auto_clean);
  CHECK(s.grpc.permit_keep_alive_time == std::chrono::seconds(7));
  CHECK(s.grpc.connection_stale == std::chrono::seconds(8));
  CHECK(!s.check.parameters);
  CHECK(load({})->values.grpc.permit_keep_alive_time.count() == 0);
}

TEST_CASE("accounts cannot be asked for in vain") {
  const auto loaded = load({}, {{"NACOS_AUTH_ENABLE", "true"}});
  REQUIRE(!loaded);
  CHECK(loaded.error().message.find("core.auth.enabled") != std::string::npos);
  CHECK(load({}, {{"NACOS_AUTH_ENABLE", "false"}}));
}

TEST_CASE("secrets are kept but shown nowhere") {
  const auto loaded = load({}, {{"NACOS_AUTH_TOKEN", "hunter2hunter2"},
                                {"NACOS_AUTH_IDENTITY_VALUE", "hunter2"},
                                {"DB_PASSWORD_0", "hunter2"}});
  REQUIRE(loaded);
  CHECK(loaded->values.auth.token_secret.text == "hunter2hunter2");
  CHECK(loaded->warnings.size() == 3);
  CHECK(line_with(loaded->warnings, "hunter2").empty());
}

TEST_CASE("environment of containers") {
  const process_environment variables{
    {"MODE", "standalone"},
    {"NACOS_APPLICATION_PORT", "3000"},
    {"SERVER_SERVLET_CONTEXTPATH", "/"},
    {"NACOS_SERVER_PORT", "tcp://10.0.0.1:8848"}, // Kubernetes describes a service
    {"JVM_XMS", "1g"},
    {"NACOS_DEBUG", "n"},
    {"PATH", "/bin"},
    {"STANDALONE", "perhaps"},
    {"SERVER_NAME", "not ours"},
    {"RNACOS_HTTP_PORT", "4000"},
  };
  const auto loaded = load({}, variables);
  REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().message));
  CHECK(loaded->values.server.standalone.value());
  CHECK(loaded->values.server.port == 3000);
  CHECK(loaded->values.server.context_path.empty());
  REQUIRE(loaded->warnings.size() == 1);
  CHECK(loaded->warnings[0].find("MUSTER_SERVER_MAIN_PORT")
        != std::string::npos);
}

TEST_CASE("a file of nothing but placeholders") {
  const temp_file file(".properties",
                       "server.contextPath=${SERVER_SERVLET_CONTEXTPATH:/nacos}\n"
                       "nacos.server.main.port=${NACOS_APPLICATION_PORT:8848}\n"
                       "nacos.core.auth.enabled=${NACOS_AUTH_ENABLE:false}\n"
                       "nacos.core.auth.plugin.nacos.token.secret.key="
                       "${NACOS_AUTH_TOKEN:}\n"
                       "db.num=${MYSQL_DATABASE_NUM:}\n"
                       "db.user.0=${MYSQL_SERVICE_USER}\n");
  const auto loaded
    = load({"--config", file.path()}, {{"NACOS_APPLICATION_PORT", "5000"}});
  REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().message));
  CHECK(loaded->values.server.port == 5000);
  CHECK(loaded->values.server.context_path == "/nacos");
  REQUIRE(loaded->warnings.size() == 1);
  CHECK(loaded->warnings[0]
        == file.path() + ":6: db.user.0: placeholder ${MYSQL_SERVICE_USER} is"
                         " set nowhere");
}

TEST_CASE("a placeholder that is nowhere is an error where it matters") {
  const temp_file file(".properties", "server.port=${NO_SUCH_PORT}\n");
  const auto loaded = load({"--config", file.path()});
  REQUIRE(!loaded);
  CHECK(loaded.error().message
        == file.path() + ":1: server.port: placeholder ${NO_SUCH_PORT} is set"
                         " nowhere");
}

TEST_CASE("-c is a file or a list of members") {
  const temp_file file(".conf", "server.main.port: 6000\n");
  auto loaded = load({"-c", file.path()});
  REQUIRE(loaded);
  CHECK(loaded->values.server.port == 6000);
  loaded = load({"--bind=127.0.0.1", "-c", "10.0.0.1:8848,10.0.0.2:8848"});
  REQUIRE(loaded);
  CHECK(loaded->values.cluster.member_list == "10.0.0.1:8848,10.0.0.2:8848");
  CHECK(!load({"-c", "missing.yml"}));
  CHECK(!load({"--config", "missing"}));
}

TEST_CASE("help, version and check") {
  auto loaded = load({"--help"});
  REQUIRE(loaded);
  CHECK(loaded->mode == start_mode::print);
  CHECK(loaded->text.find("--check-config") != std::string::npos);
  loaded = load({"--version"});
  REQUIRE(loaded);
  CHECK(loaded->mode == start_mode::print);
  CHECK(loaded->text.starts_with("musterd 0."));
  loaded = load({"--check-config", "--port", "2000"});
  REQUIRE(loaded);
  CHECK(loaded->mode == start_mode::check_config);
  CHECK(loaded->text.find("\nHTTP      http://127.0.0.1:2000/nacos\n")
        != std::string::npos);
  CHECK(load({})->mode == start_mode::serve);
}

TEST_CASE("the shipped file is accepted and changes no default") {
  const auto loaded
    = load({"--config", MUSTER_SOURCE_DIR "/conf/application.yml"});
  REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().message));
  CHECK(loaded->warnings.empty());
  const settings plain;
  CHECK(loaded->values.server.port == plain.server.port);
  CHECK(loaded->values.server.address == plain.server.address);
  CHECK(loaded->values.http.body_bytes_max == plain.http.body_bytes_max);
  CHECK(loaded->values.naming.push_delay == plain.naming.push_delay);
  CHECK(loaded->values.storage.block_cache_bytes
        == plain.storage.block_cache_bytes);
  CHECK(loaded->values.storage.partitions == plain.storage.partitions);
  CHECK(loaded->values.grpc.connections_max == plain.grpc.connections_max);
}
