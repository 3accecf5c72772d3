#include <doctest/doctest.h>

#include "tests/unit/http/fixture.hpp"

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view hold = "POST /hold HTTP/1.1\r\nHost: t\r\n"
                                  "Content-Length: 4\r\n\r\nbody";

bool holding(int n) {
  return eventually([n] { return what_was_seen().holding == n; });
}

} // namespace

TEST_CASE("a held request that runs out keeps its request readable") {
  running_server s;
  auto c = s.client();
  c.send("POST /hold?ms=50 HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\n"
         "bodyGET /fixed HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(c.read().body == "held body");
  CHECK(c.read().body == "fixed body");
  CHECK(what_was_seen().gone == 0);
}

TEST_CASE("what was answered before a held request is sent at once") {
  running_server s;
  auto c = s.client();
  c.send("GET /fixed HTTP/1.1\r\nHost: t\r\n\r\n" + std::string(hold));
  CHECK(c.read().body == "fixed body");
  CHECK(holding(1));
  CHECK(s.server->requests_open() == 1);
}

TEST_CASE("a client that closes ends its held request") {
  running_server s;
  auto c = s.client();
  c.send(hold);
  REQUIRE(holding(1));
  c.close();
  CHECK(holding(0));
  CHECK(eventually([&] { return s.server->connections() == 0; }));
  CHECK(what_was_seen().gone == 1);
}

TEST_CASE("a client that closes its sending side still gets an answer") {
  running_server s;
  auto c = s.client();
  c.send(hold);
  REQUIRE(holding(1));
  c.close_sending();
  CHECK(c.read().body == "held body");
  CHECK(what_was_seen().gone == 1);
}

TEST_CASE("pipelined bytes behind a held request do not hide the close") {
  running_server s;
  auto c = s.client();
  c.send(hold);
  REQUIRE(holding(1));
  c.send("GET /fixed HTTP/1.1\r\nHost: t\r\n\r\n");
  c.close();
  CHECK(holding(0));
  CHECK(eventually([&] { return s.server->connections() == 0; }));
}

TEST_CASE("pipelined bytes behind a held request are answered after it") {
  running_server s;
  auto c = s.client();
  c.send("GET /hold?ms=200 HTTP/1.1\r\nHost: t\r\n\r\n");
  REQUIRE(holding(1));
  c.send("GET /fixed HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(c.read().body == "held ");
  CHECK(c.read().body == "fixed body");
}

TEST_CASE("more held requests than allowed are told busy") {
  auto settings = running_server::quick_settings();
  settings.limits.held_max = 1;
  running_server s(settings, 1);
  auto a = s.client();
  auto b = s.client();
  a.send(hold);
  REQUIRE(holding(1));
  b.send(hold);
  const auto r = b.read();
  CHECK(r.status == 503);
  CHECK(r.has("Retry-After: 1\r\n"));
  CHECK(b.get("/fixed").status == 200);
}

TEST_CASE("stopping answers held requests and closes idle connections") {
  running_server s;
  auto idle = s.client();
  auto held = s.client();
  CHECK(idle.get("/fixed").status == 200);
  held.send(hold);
  REQUIRE(holding(1));
  const auto begin = std::chrono::steady_clock::now();
  s.server->stop();
  CHECK(std::chrono::steady_clock::now() - begin < 3s);
  const auto r = held.read();
  CHECK(r.status == 200);
  CHECK(r.has("Connection: close\r\n"));
  CHECK(idle.closed());
  CHECK(s.server->connections() == 0);
  CHECK(s.server->requests_open() == 0);
}

TEST_CASE("a port that is taken is an error, not shared") {
  running_server s;
  auto settings = running_server::quick_settings();
  settings.port = s.port();
  http::server second(settings, s.node, s.pool, products(), s.metrics);
  const auto ok = second.start();
  REQUIRE_FALSE(ok);
  CHECK(ok.error().code == errc::failed_precondition);
}
