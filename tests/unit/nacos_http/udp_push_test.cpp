// UDP push from the poll of a list to the datagram and its acknowledgement,
// over sockets.
#include <doctest/doctest.h>

#include <thread>

#include <caf/send.hpp>
#include <prometheus/metric_family.h>

#include "protocols/nacos/udp/pusher.hpp"
#include "tests/unit/nacos_http/memory_node.hpp"
#include "tests/unit/nacos_http/udp_client.hpp"

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;
using http::method;
using nacos::udp::happened;

namespace {

const std::string agent = "Nacos-Java-Client:v1.0.0";

struct world {
  explicit world(nacos::udp::book_rules rules = {}) {
    auto opened =
        nacos::udp::pusher::open(node, run.pool(), {"127.0.0.1", rules});
    REQUIRE(opened);
    pushes = std::move(*opened);
    counted = pushes->counted();
    auto parts = std::make_shared<nacos::http_parts>();
    parts->pushes = pushes.get();
    run.parts = std::move(parts);
  }

  std::string poll(const udp_client& client, std::string more = {},
                   std::string path = "/v1/ns/instance/list",
                   std::string user_agent = agent) {
    return body_of(run({method::get,
                        path + "?serviceName=s&udpPort=" + client.port()
                            + "&clientIP=203.0.113.7" + more,
                        {},
                        {{"User-Agent", user_agent}}}));
  }
  void change(method verb, std::string ip, std::string more = {}) {
    const auto done =
        run({verb, "/v1/ns/instance?serviceName=s&port=80&ip=" + ip + more});
    REQUIRE(body_of(done) == "ok");
  }
  void join(std::string ip, std::string more = {}) {
    change(method::post, std::move(ip), std::move(more));
  }

  template <class F>
  void await(F condition) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!condition()) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      std::this_thread::yield();
    }
  }
  void await_watches(std::size_t n) {
    await([&] {
      const std::lock_guard lock(node.shared->mutex);
      return node.shared->service_watches == n;
    });
  }
  std::uint64_t count(happened what) const { return counted->of(what); }

  memory_node node;
  caller run{node};
  std::unique_ptr<nacos::udp::pusher> pushes;
  std::shared_ptr<const nacos::udp::counts> counted;
};

std::string data_of(const boost::json::value& push) {
  CHECK(push.at("type") == "dom");
  return std::string{push.at("data").as_string()};
}

} // namespace

TEST_CASE("udp push: a datagram on change, and an ack stops the retry") {
  nacos::udp::book_rules rules;
  rules.ack_wait = 500ms; // long enough for an ack on a busy machine
  world w(rules);
  udp_client good, silent;
  CHECK(w.poll(good).contains(R"("hosts":[])"));
  w.poll(silent);
  w.join("10.0.0.1");
  const auto push = good.receive_push();
  good.acknowledge(push);
  CHECK(data_of(push)
        == body_of(w.run({method::get, "/v1/ns/instance/list?serviceName=s"})));
  CHECK(data_of(push).contains(R"("ip":"10.0.0.1")"));
  CHECK(silent.receive_push() == push);
  CHECK(silent.receive_push() == push);
  w.await([&] { return w.count(happened::given_up) == 1; });
  CHECK_FALSE(good.has_more());
  CHECK_FALSE(silent.has_more());
  CHECK(w.count(happened::acknowledged) == 1);
  CHECK(w.count(happened::retried) == 1);
  CHECK(w.count(happened::sent) == 3);
  // A leave is told as well, to the silent one too.
  w.change(method::del, "10.0.0.1");
  CHECK(data_of(good.receive_push()).contains(R"("hosts":[])"));
  CHECK(data_of(silent.receive_push()).contains(R"("hosts":[])"));
}

TEST_CASE("udp push: compressed from 1 KiB on, with the clusters asked for") {
  world w;
  udp_client all, some;
  w.join("10.0.0.1", "&clusterName=a");
  w.poll(all);
  w.poll(some, "&clusters=a,c");
  const std::string metadata = "&metadata=k%3D" + std::string(1'000, 'x');
  w.join("10.0.0.2", "&clusterName=b" + metadata);
  const auto packed = all.receive();
  CHECK(packed.starts_with("\x1f\x8b"));
  const auto push = boost::json::parse(gunzip(packed));
  CHECK(data_of(push).contains("10.0.0.2"));
  const auto plain = boost::json::parse(some.receive());
  CHECK(data_of(plain).contains(R"("clusters":"a,c")"));
  CHECK_FALSE(data_of(plain).contains("10.0.0.2"));
}

TEST_CASE("udp push: polls of v2 subscribe, too, and Client-Version counts") {
  world w;
  udp_client client, quiet;
  w.poll(client, "&clusterName=a", "/v2/ns/instance/list");
  const auto old =
      w.run({method::get,
             "/v1/ns/instance/list?serviceName=s&udpPort=" + quiet.port(),
             {},
             {{"Client-Version", agent}}});
  CHECK(old.status == 200);
  w.join("10.0.0.1", "&clusterName=a");
  CHECK(data_of(client.receive_push()).contains(R"("clusters":"a")"));
  CHECK(data_of(quiet.receive_push()).contains("10.0.0.1"));
}

TEST_CASE("udp push: who is not pushed to") {
  world w;
  udp_client client;
  w.poll(client, {}, "/v1/ns/instance/list", "curl/8.0");
  w.poll(client, {}, "/v3/client/ns/instance/list");
  w.run({method::get,
         "/v1/ns/instance/list?serviceName=s&udpPort=0",
         {},
         {{"User-Agent", agent}}});
  w.run({method::get,
         "/v1/ns/instance/list?serviceName=s&udpPort=" + client.port(),
         {},
         {{"User-Agent", agent}, {"X-Forwarded-For", "203.0.113.7"}}});
  w.run.settle();
  CHECK(w.counted->subscriptions() == 0);
  CHECK(w.count(happened::refused) == 0);
  w.poll(client);
  w.run.settle();
  CHECK(w.counted->subscriptions() == 1);
}

TEST_CASE("udp push: beyond the bound a poll is answered and counted") {
  nacos::udp::book_rules rules;
  rules.subscriptions_max = 1;
  world w(rules);
  udp_client first, second;
  w.poll(first);
  CHECK(w.poll(second).contains("hosts"));
  w.run.settle();
  CHECK(w.count(happened::refused) == 1);
  w.join("10.0.0.1");
  CHECK(data_of(first.receive_push()).contains("10.0.0.1"));
  CHECK_FALSE(second.has_more());
}

TEST_CASE("udp push: an end without polls, and nothing stays watched") {
  nacos::udp::book_rules rules;
  rules.kept = 50ms;
  world w(rules);
  udp_client client;
  w.poll(client);
  w.run.settle();
  w.await([&] { return w.counted->subscriptions() == 0; });
  w.await_watches(0);
  w.join("10.0.0.1");
  w.run.settle();
  CHECK_FALSE(client.has_more());
  CHECK(w.count(happened::sent) == 0);
}

TEST_CASE("udp push: hostile acknowledgements change nothing but a count") {
  nacos::udp::book_rules rules;
  rules.ack_wait = 500ms;
  world w(rules);
  udp_client client, stranger;
  w.poll(client);
  w.poll(stranger);
  w.join("10.0.0.1");
  const auto push = client.receive_push();
  stranger.acknowledge(stranger.receive_push());
  const std::string hostile[] = {
      "junk", std::string(60'000, '{'), std::string("\0\xff", 2), "{}",
      R"({"type":"push-ack","lastRefTime":1,"data":""})"};
  for (const auto& each : hostile)
    client.send(each);
  stranger.acknowledge(push); // its own is acknowledged: the id alone is none
  w.await(
      [&] { return w.count(happened::ack_ignored) == std::size(hostile) + 1; });
  CHECK(w.count(happened::acknowledged) == 1);
  CHECK(client.receive_push() == push);
  client.acknowledge(push);
  w.await([&] { return w.count(happened::acknowledged) == 2; });
  CHECK(w.count(happened::given_up) == 0);
}

TEST_CASE("udp push: a service's actor that dies is watched anew") {
  world w;
  udp_client client;
  w.join("10.0.0.1");
  w.poll(client);
  w.await_watches(1);
  const auto slot =
      w.node.shared->services.find({"public", "DEFAULT_GROUP", "s"});
  REQUIRE(slot);
  const auto dead = slot->actor();
  slot->set_actor({});
  caf::anon_send_exit(dead, caf::exit_reason::kill);
  w.await([&] { return static_cast<bool>(slot->actor()); });
  w.await_watches(1);
  w.join("10.0.0.2");
  CHECK(data_of(client.receive_push()).contains("10.0.0.2"));
}

TEST_CASE("udp push: stopped with open subscriptions, nothing stays behind") {
  world w;
  udp_client client;
  w.poll(client);
  w.await_watches(1);
  const auto metrics = w.pushes->metrics();
  w.pushes->stop();
  w.pushes->stop();
  w.await_watches(0);
  w.join("10.0.0.1");
  w.run.settle();
  CHECK_FALSE(client.has_more());
  CHECK(metrics->Collect().size() == 2);
}
