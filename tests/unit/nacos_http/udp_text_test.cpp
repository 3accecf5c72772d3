// UDP push: who takes pushes, where they go, and the two texts.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "protocols/nacos/udp/agent.hpp"
#include "protocols/nacos/udp/datagram.hpp"
#include "protocols/nacos/udp/target.hpp"
#include "tests/unit/nacos_http/udp_client.hpp"

using namespace muster;
using namespace muster::nacos;

TEST_CASE("udp: clients that are pushed to, from their first version on") {
  struct row {
    std::string_view agent;
    bool takes;
  };
  constexpr row rows[] = {
      {"Nacos-Java-Client:v1.0.0", true}, // npm's nacos, too
      {"Nacos-Java-Client:v1.4.7", true},
      {"Nacos-Java-Client:v0.1.0", true},
      {"Nacos-Java-Client:v0.0.9", false},
      {"Nacos-Java-Client:v1.4", true},
      {"Nacos-Java-Client:v1.5.0-SNAPSHOT", true},
      {"Nacos-Java-Client:vx", false},
      {"Nacos-Java-Client", false},
      {"Nacos-Java-Client:", false},
      {"Nacos-Java-Client:v", false},
      {"Nacos-Java-Client:v99999999999.0.0", false},
      {"Nacos-DNS:v0.4.3", true},
      {"Nacos-DNS:v0.4.2", false},
      {"Nacos-C-Client:v1.0.12", true},
      {"Nacos-C-Client:v1.0.11", false},
      {"vip-client4cpp:v1.0.12", true},
      {"Nacos-Go-Client:v1.1.4", true},
      {"Nacos-CSharp-Client:v0.9.0", true},
      {"Nacos-CSharp-Client:v0.8.9", false},
      {"Nacos-SDK-Java:v2.0.0", false},
      {"Nacos-Python-Client:v1.0.0", false},
      {"curl/8.0", false},
      {"", false},
  };
  for (const auto& each : rows) {
    CAPTURE(each.agent);
    CHECK(udp::takes_pushes(each.agent) == each.takes);
  }
}

TEST_CASE("udp: pushes go to the TCP peer and nowhere else") {
  struct row {
    std::string_view peer;
    std::string_view port;
    std::string_view forwarded;
    std::string_view target; ///< empty: none
  };
  constexpr row rows[] = {
      {"10.0.0.1", "54321", "", "10.0.0.1:54321"},
      {"::ffff:10.0.0.1", "1", "", "10.0.0.1:1"},
      {"2001:db8::1", "65535", "", "[2001:db8::1]:65535"},
      {"10.0.0.1", "54321", "10.0.0.1", "10.0.0.1:54321"},
      {"10.0.0.1", "54321", "10.9.9.9, 10.0.0.1", ""},
      {"10.0.0.1", "0", "", ""},
      {"10.0.0.1", "65536", "", ""},
      {"10.0.0.1", "-1", "", ""},
      {"10.0.0.1", "12x", "", ""},
      {"10.0.0.1", "", "", ""},
      {"nobody", "54321", "", ""},
  };
  for (const auto& each : rows) {
    CAPTURE(each.peer);
    CAPTURE(each.port);
    http::request request;
    request.peer_ip = each.peer;
    // What a client declares is not where pushes go.
    request.query = "clientIP=203.0.113.7";
    if (!each.forwarded.empty())
      request.headers.emplace_back("X-Forwarded-For", each.forwarded);
    const auto target = udp::push_target(request, each.port);
    std::ostringstream text;
    if (target)
      text << *target;
    CHECK(text.str() == each.target);
  }
}

TEST_CASE("udp: the datagram, plain below 1 KiB and compressed from there on") {
  const auto plain = udp::encode_push(R"({"name":"g@@s"})", 42);
  REQUIRE(plain);
  CHECK(*plain
        == R"({"type":"dom","data":"{\"name\":\"g@@s\"}","lastRefTime":42})");
  const std::string frame = R"({"type":"dom","data":"","lastRefTime":42})";
  const std::string below(udp::plain_bytes_max - 1 - frame.size(), 'x');
  CHECK(udp::encode_push(below, 42)->starts_with('{'));
  const auto packed = udp::encode_push(below + 'x', 42);
  REQUIRE(packed);
  CHECK(packed->starts_with("\x1f\x8b"));
  CHECK(test::gunzip(*packed)
        == R"({"type":"dom","data":")" + below + R"(x","lastRefTime":42})");
}

TEST_CASE("udp: what no datagram holds is not sent") {
  std::mt19937 draw(7); // does not compress below six bits a letter
  std::string text;
  while (text.size() < 120'000)
    text += static_cast<char>('0' + draw() % 64);
  CHECK_FALSE(udp::encode_push(text, 1));
  const auto shorter = udp::encode_push(text.substr(0, 80'000), 1);
  REQUIRE(shorter);
  CHECK(shorter->size() <= udp::datagram_bytes_max);
  CHECK(udp::encode_push(std::string(udp::text_bytes_max, 'x'), 1));
  CHECK_FALSE(udp::encode_push(std::string(udp::text_bytes_max + 1, 'x'), 1));
}

TEST_CASE("udp: acknowledgements, and what is none") {
  const auto ack = [](std::string_view id) {
    return R"({"type":"push-ack","lastRefTime":)" + std::string{id}
           + R"(,"data":""})";
  };
  CHECK(udp::parse_ack(ack("1690000000000123")) == 1690000000000123);
  CHECK(udp::parse_ack(ack(R"("1690000000000123")")) == 1690000000000123);
  CHECK(udp::parse_ack(ack("18446744073709551615")) == ~std::uint64_t{0});
  const std::string none[] = {
      "",
      "junk",
      "{}",
      "[]",
      std::string("\0\1\2", 3),
      ack("-1"),
      ack("1.5"),
      ack(R"("")"),
      ack(R"("1x")"),
      ack("null"),
      ack(R"("99999999999999999999")"),
      R"({"type":"dump-ack","lastRefTime":1})",
      R"({"lastRefTime":1})",
      R"({"type":"push-ack"})",
      R"({"type":1,"lastRefTime":1})",
      ack("[[[[[[[[1]]]]]]]]"),
      ack("1" + std::string(udp::ack_bytes_max, ' ')),
  };
  for (const auto& each : none) {
    CAPTURE(each);
    CHECK_FALSE(udp::parse_ack(each));
  }
}
