#include <doctest/doctest.h>

#include <fstream>

#include <unistd.h>

#include "tests/unit/http/fixture.hpp"

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

namespace {

/// Resident memory of this process, bytes.
std::size_t resident() {
  std::size_t pages = 0, ignored = 0;
  std::ifstream("/proc/self/statm") >> ignored >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

struct attack {
  std::string name;
  std::string bytes;
  unsigned status;
};

std::string head(std::string_view lines) {
  return "POST /echo HTTP/1.1\r\nHost: t\r\n" + std::string(lines) + "\r\n";
}

std::vector<attack> attacks() {
  std::string many;
  for (int i = 0; i < 10'000; ++i)
    many += "X-" + std::to_string(i) + ": 1\r\n";
  std::string params = "GET /echo?";
  for (int i = 0; i < 2000; ++i)
    params += "a&";
  return {
      {"not http", "\x16\x03\x01\x02 hello\r\n\r\n", 400},
      {"http/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"no host", "GET /fixed HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET /fixed HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"folded header", head("X: a\r\n b\r\n"), 400},
      {"space before colon", head("X : a\r\n"), 400},
      {"authority form", "GET t:80 HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"unknown method", "BREW /fixed HTTP/1.1\r\nHost: t\r\n\r\n", 501},
      {"trace", "TRACE /fixed HTTP/1.1\r\nHost: t\r\n\r\n", 501},
      {"10 GB length", head("Content-Length: 10737418240\r\n"), 413},
      {"length beyond 64 bits",
       head("Content-Length: 99999999999999999999\r\n"), 400},
      {"negative length", head("Content-Length: -1\r\n"), 400},
      {"list of lengths", head("Content-Length: 5, 5\r\n"), 400},
      {"two lengths", head("Content-Length: 1\r\nContent-Length: 2\r\n"), 400},
      {"length and chunked",
       head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"chunked twice",
       head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
       400},
      {"gzip coding", head("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"unknown coding", head("Transfer-Encoding: chunke\r\n"), 501},
      {"chunked in 1.0",
       "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"bad chunk size", head("Transfer-Encoding: chunked\r\n") + "zz\r\n",
       400},
      {"huge chunk", head("Transfer-Encoding: chunked\r\n") + "fffffffff\r\n",
       413},
      {"endless chunk head",
       head("Transfer-Encoding: chunked\r\n") + "1;"
           + std::string(100'000, 'x'),
       400},
      {"1 MB header line",
       "GET /fixed HTTP/1.1\r\nHost: t\r\nX: " + std::string(1 << 20, 'x'),
       431},
      {"10k headers", "GET /fixed HTTP/1.1\r\nHost: t\r\n" + many + "\r\n",
       431},
      {"100 KB target",
       "GET /" + std::string(100 << 10, 'x') + " HTTP/1.1\r\nHost: t\r\n\r\n",
       414},
      {"2000 parameters", params + " HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"body after no body",
       "POST /echo HTTP/1.1\r\nHost: t\r\n\r\n{\"a\": 1}\r\n\r\n", 200},
  };
}

} // namespace

TEST_CASE("hostile input gets its refusal, and the next request works") {
  running_server s;
  const auto before = resident();
  for (const auto& a : attacks()) {
    CAPTURE(a.name);
    auto c = s.client();
    c.send(a.bytes);
    const auto r = c.read();
    CHECK(r.status == a.status);
    if (a.status == 200)
      CHECK(c.read().status == 400); // what followed is no request
    CHECK(c.closed());
    CHECK(s.client().get("/fixed").status == 200);
  }
  CHECK(eventually([&] { return s.server->connections() == 0; }));
  CHECK(s.server->requests_open() == 0);
  CHECK(s.server->body_bytes_open() == 0);
  CHECK(resident() < before + (64u << 20));
}

TEST_CASE("endless chunks are cut off at the route's bound") {
  running_server s;
  auto c = s.client();
  c.send(head("Transfer-Encoding: chunked\r\n"));
  const std::string chunk = "3e8\r\n" + std::string(1000, 'c') + "\r\n";
  bool taken = true;
  for (int i = 0; i < 100'000 && taken; ++i)
    taken = c.send(chunk) && !c.readable(0ms);
  CHECK(c.read().status == 413);
  CHECK(eventually([&] { return s.server->body_bytes_open() == 0; }));
}

TEST_CASE("no route takes a larger body than the listener does") {
  auto settings = running_server::quick_settings();
  settings.limits.body_bytes_max = 1000; // the route takes 100,000
  running_server s(settings);
  auto c = s.client();
  c.send(head("Content-Length: 1001\r\n"));
  CHECK(c.read().status == 413);
  auto d = s.client();
  const std::string most(1000, 'x');
  d.send(head("Content-Length: 1000\r\n") + most);
  CHECK(d.read().body == "|" + most);
  auto e = s.client();
  e.send(head("Transfer-Encoding: chunked\r\n") + "3e9\r\n"
         + std::string(1001, 'c') + "\r\n0\r\n\r\n");
  CHECK(e.read().status == 413);
}

TEST_CASE("a body that would overload the server is told busy") {
  auto settings = running_server::quick_settings();
  settings.limits.body_bytes_total_max = 1000;
  running_server s(settings);
  auto c = s.client();
  c.send(head("Content-Length: 2000\r\n"));
  CHECK(c.read().status == 503);
  auto d = s.client();
  d.send(head("Content-Length: 3\r\n") + "abc");
  CHECK(d.read().body == "|abc");
}

TEST_CASE("slow heads and slow bodies are told 408") {
  running_server s;
  auto in_head = s.client();
  auto in_body = s.client();
  in_head.send("GET /fixed HTTP/1.1\r\nHo");
  in_body.send(head("Content-Length: 10\r\n") + "abc");
  CHECK(in_head.read().status == 408);
  CHECK(in_body.read().status == 408);
  CHECK(in_head.closed());
  CHECK(in_body.closed());
  CHECK(eventually([&] { return s.server->body_bytes_open() == 0; }));
}

TEST_CASE("slowloris: single bytes do not prolong the head's time") {
  running_server s;
  auto c = s.client();
  const auto begin = std::chrono::steady_clock::now();
  c.send("GET /fixed HTTP/1.1\r\nHost: t\r\nX: ");
  while (!c.readable(20ms) && std::chrono::steady_clock::now() - begin < 5s)
    c.send("x");
  CHECK(c.read().status == 408);
  CHECK(std::chrono::steady_clock::now() - begin < 2s);
}

TEST_CASE("a body that drips is cut off in the end") {
  running_server s;
  auto c = s.client();
  const auto begin = std::chrono::steady_clock::now();
  c.send(head("Content-Length: 90000\r\n"));
  while (!c.readable(50ms) && std::chrono::steady_clock::now() - begin < 8s)
    c.send("x");
  CHECK(c.read().status == 408);
  CHECK(std::chrono::steady_clock::now() - begin < 4s);
}

TEST_CASE("idle connections are closed without a word") {
  auto settings = running_server::quick_settings();
  settings.limits.idle_timeout = 200ms;
  running_server s(settings);
  auto fresh = s.client();
  auto used = s.client();
  CHECK(used.get("/fixed").status == 200);
  CHECK(used.closed(3s));
  CHECK(fresh.closed(3s));
  CHECK(used.unread().empty());
  CHECK(fresh.unread().empty());
}

TEST_CASE("a client that never reads is cut off, others notice nothing") {
  running_server s({running_server::quick_settings()}, 1);
  auto deaf = s.client();
  std::string all;
  for (int i = 0; i < 500; ++i)
    all += "GET /big/1000000 HTTP/1.1\r\nHost: t\r\n\r\n";
  const auto before = resident();
  deaf.send(all);
  auto c = s.client();
  for (int i = 0; i < 50; ++i)
    CHECK(c.get("/fixed").status == 200);
  c.close();
  CHECK(eventually([&] { return s.server->connections() == 0; }));
  CHECK(resident() < before + (32u << 20));
}

TEST_CASE("connections beyond the bound are told busy and closed") {
  auto settings = running_server::quick_settings();
  SUBCASE("in all") {
    settings.limits.connections_max = 2;
  }
  SUBCASE("per address") {
    settings.limits.connections_per_ip_max = 2;
  }
  running_server s(settings);
  auto a = s.client();
  auto b = s.client();
  CHECK(a.get("/fixed").status == 200);
  CHECK(b.get("/fixed").status == 200);
  auto c = s.client();
  CHECK(c.read().status == 503);
  CHECK(c.closed());
  a.close();
  CHECK(eventually([&] { return s.server->connections() == 1; }));
  CHECK(s.client().get("/fixed").status == 200);
}

TEST_CASE("a client that closes at any step leaves nothing behind") {
  running_server s;
  const auto whole = head("Content-Length: 5\r\n") + "hello"
                     + "GET /big/2000000 HTTP/1.1\r\nHost: t\r\n\r\n";
  for (std::size_t n = 0; n <= whole.size(); n += 7) {
    auto c = s.client();
    c.send(whole.substr(0, n));
  }
  CHECK(eventually([&] { return s.server->connections() == 0; }));
  CHECK(s.server->requests_open() == 0);
  CHECK(s.server->body_bytes_open() == 0);
}
