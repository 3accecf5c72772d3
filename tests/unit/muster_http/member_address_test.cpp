// Which node an operator names.
#include <doctest/doctest.h>

#include "protocols/muster/members.hpp"

using namespace muster;

TEST_CASE("member address: its other ports are as far from the main one as our "
          "own") {
  const api::member own{.id = node_id{1}, .host = "a", .http_port = 8848};
  const auto m = admin::member_at("10.0.0.7:8858", own);
  REQUIRE(m);
  CHECK(m->host == "10.0.0.7");
  CHECK(m->http_port == 8858);
  CHECK(m->sdk_port == 9858);
  CHECK(m->cluster_port == 9859);
  CHECK(m->id == cluster::id_of("10.0.0.7", 8858));
  CHECK(admin::member_at("[::1]:8858", own)->host == "::1");
  CHECK(admin::member_at("Node-4.Example:8858", own)->id
        == cluster::id_of("node-4.example", 8858));
}

TEST_CASE("member address: what is none is refused") {
  const api::member own{.id = node_id{1}, .host = "a", .http_port = 8848};
  for (const auto* bad : {"", "host", "host:", ":8848", "host:0", "host:70000",
                          "host:88x", "::1:8848", "a b:8848", "a,b:8848",
                          "host:65000"}) {
    const auto m = admin::member_at(bad, own);
    REQUIRE_FALSE_MESSAGE(m, bad);
    CHECK(m.error().code == errc::invalid_argument);
  }
}
