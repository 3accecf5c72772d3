#include <doctest/doctest.h>

#include "tests/unit/http/fixture.hpp"

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

namespace {

std::string get_request(std::string_view target, std::string_view more = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: t\r\n"
         + std::string(more) + "\r\n";
}

std::string post_request(std::string_view target, std::string_view body,
                         std::string_view more = {}) {
  return "POST " + std::string(target)
         + " HTTP/1.1\r\nHost: t\r\nContent-Length: "
         + std::to_string(body.size()) + "\r\n" + std::string(more) + "\r\n"
         + std::string(body);
}

} // namespace

TEST_CASE("a keep-alive connection answers one request after the other") {
  running_server s;
  auto c = s.client();
  for (int i = 0; i < 3; ++i) {
    const auto r = c.get("/fixed");
    CHECK(r.status == 200);
    CHECK(r.body == "fixed body");
    CHECK(r.has("Content-Type: text/plain\r\n"));
    CHECK(r.has(" GMT\r\n"));
    CHECK_FALSE(r.has("1970"));
    CHECK_FALSE(r.has("Connection:"));
  }
  CHECK(s.server->connections() == 1);
  c.close();
  CHECK(eventually([&] { return s.server->connections() == 0; }));
}

TEST_CASE("routes answer with and without the context path") {
  running_server s;
  auto c = s.client();
  CHECK(c.get("/app/fixed").status == 200);
  CHECK(c.get("/fixed").status == 200);
  CHECK(c.get("/app/items/a%20b").body == "a b of /app/items/a b");
  CHECK(c.get("/items/first").body == "fixed body");
  CHECK(c.get("http://elsewhere/app/fixed?x=1").status == 200);
  for (const auto* path :
       {"/app/fixed/", "/fixed;x=1", "//fixed", "/Fixed", "/app/app/fixed",
        "/items/", "/items/a/b", "/app/../fixed", "/", "/app", "*"})
    CHECK_MESSAGE(c.get(path).status == 404, path);
  for (const auto* path : {"/items%2ffirst", "/items/a%00b", "/a%5cb"})
    CHECK_MESSAGE(s.client().get(path).status == 400, path);
}

TEST_CASE("a known path with another method is 405 and names what is allowed") {
  running_server s;
  auto c = s.client();
  c.send("DELETE /echo HTTP/1.1\r\nHost: t\r\n\r\n");
  const auto r = c.read();
  CHECK(r.status == 405);
  CHECK(r.has("Allow: GET, HEAD, POST\r\n"));
  CHECK(c.get("/fixed").status == 200);
}

TEST_CASE("HEAD gives the head of GET without its body") {
  running_server s;
  auto c = s.client();
  for (const auto* path : {"/fixed", "/big/10"}) {
    c.send("HEAD " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n\r\n");
    const auto r = c.read(true);
    CHECK(r.status == 200);
    CHECK(r.has("Content-Length: 10\r\n"));
    CHECK(c.unread().empty());
  }
  CHECK(c.get("/fixed").body == "fixed body");
}

TEST_CASE("HTTP/1.0 closes unless it asks to stay") {
  running_server s;
  auto c = s.client();
  c.send("GET /fixed HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  auto r = c.read();
  CHECK(r.status == 200);
  CHECK(r.has("Connection: keep-alive\r\n"));
  c.send("GET /fixed HTTP/1.0\r\n\r\n");
  r = c.read();
  CHECK(r.body == "fixed body");
  CHECK(r.has("Connection: close\r\n"));
  CHECK(c.closed());
}

TEST_CASE("Connection: close is honoured") {
  running_server s;
  auto c = s.client();
  c.send(get_request("/fixed", "Connection: close\r\n"));
  CHECK(c.read().has("Connection: close\r\n"));
  CHECK(c.closed());
}

TEST_CASE("pipelined requests are answered in their order") {
  running_server s;
  auto c = s.client();
  std::string all;
  constexpr int count = 2000;
  for (int i = 0; i < count; ++i)
    all += get_request("/items/" + std::to_string(i));
  std::thread sender([&] { c.send(all); });
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    const auto n = std::to_string(i);
    wrong += c.read().body != n + " of /items/" + n;
  }
  sender.join();
  CHECK(wrong == 0);
}

TEST_CASE("a request may come byte by byte") {
  auto settings = running_server::quick_settings();
  settings.limits.head_timeout = 5000ms;
  running_server s(settings);
  auto c = s.client();
  const auto all = post_request("/echo?q=1", "a=%32&b=x+y",
                                "Content-Type: application/"
                                "x-www-form-urlencoded;charset=utf-8\r\n")
                   + get_request("/fixed");
  for (const char byte : all)
    REQUIRE(c.send({&byte, 1}));
  CHECK(c.read().body == "q=1;a=2;b=x y;");
  CHECK(c.read().body == "fixed body");
}

TEST_CASE("bodies: by length, in chunks, with 100-continue") {
  running_server s;
  auto c = s.client();
  const std::string long_body(90'000, 'z');
  c.send(post_request("/echo", long_body));
  CHECK(c.read().body == "|" + long_body);
  c.send("POST /echo?x=1 HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n"
         "\r\n5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"
         + get_request("/fixed"));
  CHECK(c.read().body == "x=1;|hello world");
  CHECK(c.read().body == "fixed body");
  c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n"
         "Expect: 100-continue\r\n\r\n");
  CHECK(c.read().status == 100);
  c.send("abc");
  CHECK(c.read().body == "|abc");
  c.send("POST /echo HTTP/1.1\r\nHost: t\r\n\r\n" + get_request("/fixed"));
  CHECK(c.read().body == "|");
  CHECK(c.read().body == "fixed body");
  CHECK(s.server->body_bytes_open() == 0);
}

TEST_CASE("a large answer arrives whole, also behind others") {
  running_server s;
  auto c = s.client();
  c.send(get_request("/fixed") + get_request("/big/3000000")
         + get_request("/fixed"));
  CHECK(c.read().body == "fixed body");
  CHECK(c.read().body == std::string(3'000'000, 'b'));
  CHECK(c.read().body == "fixed body");
}

TEST_CASE("the source address prefers the proxy's headers") {
  running_server s;
  auto c = s.client();
  CHECK(c.get("/whoami").body == "127.0.0.1");
  c.send(get_request("/whoami", "X-Real-IP: 10.0.0.2\r\n"));
  CHECK(c.read().body == "10.0.0.2");
  c.send(get_request("/whoami", "x-forwarded-for: 10.0.0.1, 10.9.9.9\r\n"
                                "X-Real-IP: 10.0.0.2\r\n"));
  CHECK(c.read().body == "10.0.0.1");
}

TEST_CASE("header values never end a line; a trace comes in") {
  running_server s;
  auto c = s.client();
  c.send(get_request("/whoami",
                     "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-"
                     "b7ad6b7169203331-01\r\n"));
  const auto r = c.read();
  CHECK_FALSE(r.has("\r\nSet-Cookie"));
  CHECK(r.has("X-Evil: a  Set-Cookie: b\r\n"));
  CHECK(r.has("X-Trace: 10\r\n"));
}

TEST_CASE("a handler that throws is a 500, and the connection goes on") {
  running_server s;
  auto c = s.client();
  CHECK(c.get("/boom").status == 500);
  CHECK(c.get("/fixed").status == 200);
}

TEST_CASE("a switched-off gate is 410, a guarded route without accounts 403") {
  auto settings = running_server::quick_settings();
  settings.gates[static_cast<std::size_t>(common::gate::console)] = false;
  settings.auth.open = true;
  running_server s(settings);
  auto c = s.client();
  CHECK(c.get("/old").status == 410);
  CHECK(c.get("/guarded").status == 403);
  CHECK(c.get("/app/guarded?accessToken=x&username=nacos").status == 403);
  CHECK(c.get("/fixed").status == 200);
  CHECK(what_was_seen().calls == 1);
  running_server open;
  auto d = open.client();
  CHECK(d.get("/old").status == 200);
  CHECK(d.get("/guarded").status == 200);
}

TEST_CASE("requests are counted by route and status") {
  running_server s;
  auto c = s.client();
  c.get("/fixed");
  c.get("/app/fixed");
  c.get("/nowhere");
  const auto text = s.metrics->text();
  CHECK(text.find("http_server_requests_seconds_count{exception=\"None\","
                  "method=\"GET\",outcome=\"SUCCESS\",status=\"200\","
                  "uri=\"/app/fixed\"} 2")
        != text.npos);
  CHECK(text.find("status=\"404\",uri=\"UNKNOWN\"} 1") != text.npos);
  CHECK(text.find("muster_http_connections 1") != text.npos);
}
