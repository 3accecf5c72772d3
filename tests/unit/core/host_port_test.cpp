// Addresses as configurations, operators and clients write them.
#include <doctest/doctest.h>

#include <string>

#include "actors/core/base/host_port.hpp"

using namespace muster;

namespace {

/// "host port", or "none".
std::string read(std::string_view text,
                 std::optional<std::uint16_t> usual = std::nullopt) {
  const auto found = parse_host_port(text, usual);
  return found ? found->host + " " + std::to_string(found->port) : "none";
}

} // namespace

TEST_CASE("host and port: names, addresses, brackets") {
  CHECK(read("Node-1.example:8848") == "node-1.example 8848");
  CHECK(read("127.0.0.1:1") == "127.0.0.1 1");
  CHECK(read("[::1]:65535") == "::1 65535");
}

TEST_CASE("host and port: without a port only where there is a usual one") {
  CHECK(read("node") == "none");
  CHECK(read("node", 8848) == "node 8848");
  CHECK(read("[::1]", 8848) == "::1 8848");
  CHECK(read("fe80::1", 8848) == "fe80::1 8848");
  CHECK(read("node:9", 8848) == "node 9");
}

TEST_CASE("host and port: what is no address is none") {
  for (const auto* text :
       {"", ":", ":8848", "node:", "node:0", "node:65536", "node:8848x",
        "node:-1", "no de:8848", "a/b:8848", "[::1", "[::1]8848", "[::1]x:1",
        "]:8848", "a,b:8848"}) {
    CAPTURE(text);
    CHECK(read(text) == "none");
    CHECK(read(std::string(text) + "\n", 8848) == "none");
  }
  CHECK(read(std::string(254, 'a') + ":8848") == "none");
}
