#include <doctest/doctest.h>

#include <map>
#include <set>

#include "actors/node/settings/keys.hpp"
#include "actors/node/settings/values.hpp"

using namespace muster;

TEST_CASE("flattened names are unique") {
  std::map<std::string, std::string> seen;
  for (const auto& row : keys::table())
    for (auto name : values::split(row.names, '|')) {
      CAPTURE(name);
      const bool family = name.ends_with(".*");
      const auto flat = keys::flatten(name) + (family ? "" : "$");
      const auto [at, fresh] = seen.emplace(flat, name);
      CHECK_MESSAGE(fresh, "also: " << at->second);
    }
}

TEST_CASE("every name of the table leads to its own row") {
  for (const auto& row : keys::table())
    for (auto name : values::split(row.names, '|')) {
      CAPTURE(name);
      std::string written(name);
      if (written.ends_with(".*"))
        written.replace(written.size() - 1, 1, "something-nobody-has");
      CHECK(keys::find(written) == &row);
    }
}

TEST_CASE("rows are complete") {
  for (const auto& row : keys::table()) {
    CAPTURE(row.names);
    CHECK(!row.names.empty());
    CHECK(row.low <= row.high);
    if (row.does == keys::effect::effective)
      CHECK((row.set != nullptr));
    if (row.set != nullptr)
      CHECK((!row.shape.empty() || !row.choices.empty()));
  }
}

TEST_CASE("spellings of one name") {
  const struct {
    const char* written;
    const char* name;
  } rows[] = {
    {"nacos.server.contextPath", "server.context-path"},
    {"batata.server.context_path", "server.context-path"},
    {"NACOS_SERVER_CONTEXTPATH", "server.context-path"},
    {"BATATA_SERVER_CONTEXT_PATH", "server.context-path"},
    {"MUSTER_SERVER_CONTEXT_PATH", "server.context-path"},
    {"server.contextPath", "server.context-path"},
    {"server.servlet.contextPath", "server.context-path"},
    {"muster.server.context-path", "server.context-path"},
    {"Server.Context-Path", "server.context-path"},
    {"nacos.remote.server.grpc.sdk.max-inbound-message-size",
     "remote.server.grpc.sdk.max-inbound-message-size"},
    {"NACOS_REMOTE_SERVER_GRPC_SDK_MAXINBOUNDMESSAGESIZE",
     "remote.server.grpc.sdk.max-inbound-message-size"},
    {"maxContent", "config.maxContent"},
    {"db.url[0]", "db.*"},
    {"db.url.0", "db.*"},
    {"nacos.core.auth.ldap.userDn", "core.auth.ldap.*"},
    {"console.ui.dir", "console.ui.*"},
    {"console.port", "console.*"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.written);
    const auto* found = keys::find(row.written);
    REQUIRE(found != nullptr);
    CHECK(values::split(found->names, '|').front()
          == std::string_view(row.name).substr(0, found->names.find('|')));
  }
}

TEST_CASE("names that nobody knows") {
  for (const char* name : {"", "nacos", "muster.", "server", "servers.main.port",
                           "dbs.url", "systematic.thing", "k8s", "..."}) {
    CAPTURE(name);
    CHECK(keys::find(name) == nullptr);
  }
}
