// Ephemeral clients of three nodes on loopback: every node shows all of them,
// whichever node they talk to, and none is lost because a node goes.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <caf/send.hpp>

#include "tests/unit/runtime/whole_cluster.hpp"

using namespace muster;
using namespace std::chrono_literals;

namespace {

using test::slowness;
using test::whole_node;
using texts = std::set<std::string>;

const service_key key{"public", "g", "s"};

struct silent_sink final : api::push_sink {
  bool push(const api::push_item&, std::uint64_t) override { return true; }
  void close(std::string_view) override {}
};

naming::instance_ptr at(const std::string& ip) {
  naming::instance i;
  i.ip = ip;
  i.port = 80;
  return std::make_shared<const naming::instance>(i);
}

std::string id_of(const std::string& ip) {
  return ip + ":80#true";
}

runtime::naming_settings fast() {
  runtime::naming_settings out;
  out.service.unhealthy_after = 2s * slowness;
  out.service.delete_after = 4s * slowness;
  out.service.beat_interval = 500ms;
  out.service.lost_owner_kept = 5s * slowness;
  return out;
}

struct naming_cluster : test::whole_cluster {
  explicit naming_cluster(const runtime::naming_settings& naming = fast())
      : whole_cluster([&naming](whole_node& n) { n.options.naming = naming; }) {
  }

  template <class Answer, class M>
  result<Answer> ask(std::size_t node, const M& message) {
    auto& n = *nodes[node]->node;
    caf::scoped_actor self{n.system()};
    result<Answer> out = fail(errc::unknown, "");
    const auto failed = [&](const caf::error& e) {
      out = std::unexpected(api::from_caf(e));
    };
    api::service_actor service;
    const auto root = n.namespaces();
    if (!root)
      return out;
    self->request(root, 10s, api::open_service{{}, key})
        .receive(
            [&](const api::service_opened& o) { service = o.slot->actor(); },
            failed);
    if (service)
      self->request(service, 10s, message)
          .receive([&](const Answer& a) { out = a; }, failed);
    return out;
  }

  result<api::done> enter(std::size_t node, const std::string& ip) {
    return ask<api::done>(
        node, api::publish_instances{{}, id_of(ip), nullptr, {at(ip)}});
  }
  bool beat(std::size_t node, const std::string& ip) {
    const auto answer =
        ask<api::beat_answer>(node, api::beat_instance{{}, id_of(ip), nullptr});
    return answer && answer->known;
  }
  result<api::done> leave(std::size_t node, const std::string& ip) {
    return ask<api::done>(node, api::retract_instances{{}, id_of(ip)});
  }

  texts shown(std::size_t node) const {
    texts out;
    if (const auto slot = nodes[node]->node->services().find(key.view())) {
      const auto view = slot->view();
      for (const auto& h : view->hosts)
        out.insert(h->shown->ip + (h->shown->healthy ? "" : " sick"));
    }
    return out;
  }
  void wait_shown(std::size_t node, const texts& wanted) const {
    whole_node::wait([&] { return shown(node) == wanted; });
  }
  void wait_all(const texts& wanted) const {
    for (std::size_t n = 0; n < nodes.size(); ++n)
      if (nodes[n]->node)
        wait_shown(n, wanted);
  }

  /// All nodes that are up show exactly this, all the time.
  void check_kept(const texts& wanted, milliseconds how_long) const {
    CHECK_FALSE(test::poll_until(
        [&] {
          for (std::size_t n = 0; n < nodes.size(); ++n)
            if (nodes[n]->node && shown(n) != wanted)
              return true;
          return false;
        },
        how_long));
  }

  api::connection_actor connect(std::size_t node, const std::string& id) {
    api::client_info info;
    info.connection_id = id;
    auto made =
        nodes[node]->node->connect(info, std::make_shared<silent_sink>());
    REQUIRE(made);
    return *made;
  }
  void publish(std::size_t node, const api::connection_actor& connection,
               const std::string& ip) {
    caf::scoped_actor self{nodes[node]->node->system()};
    bool done = false;
    self->request(connection, 10s, api::client_publish{{}, key, {at(ip)}})
        .receive([&](const api::done&) { done = true; },
                 [](const caf::error&) {});
    REQUIRE(done);
  }
};

/// Clients that beat, each at one node after the other, like SDKs do when they
/// have a list of servers: a node that is gone is passed over.
class beating_clients {
public:
  beating_clients(naming_cluster& c, texts ips) : cluster_(c), ips_(ips) {
    thread_ = std::thread([this] { run(); });
  }
  ~beating_clients() {
    stop_ = true;
    thread_.join();
  }
  void avoid(std::size_t node) {
    gone_ = static_cast<int>(node);
    const auto seen = rounds_.load();
    whole_node::wait([&] { return rounds_ >= seen + 2; });
  }
  void back() { gone_ = -1; }
  std::size_t rounds() const { return rounds_; }

private:
  void run() {
    for (std::size_t n = 0; !stop_; ++n) {
      for (const auto& ip : ips_) {
        auto node = n++ % 3;
        if (static_cast<int>(node) == gone_)
          node = (node + 1) % 3;
        if (!cluster_.beat(node, ip))
          (void)cluster_.enter(node, ip);
      }
      ++rounds_;
    }
  }

  naming_cluster& cluster_;
  texts ips_;
  std::atomic<bool> stop_{false};
  std::atomic<int> gone_{-1};
  std::atomic<std::size_t> rounds_{0};
  std::thread thread_;
};

} // namespace

TEST_CASE("distro: what registers at one node all show within a second") {
  naming_cluster c;
  std::vector<std::chrono::steady_clock::duration> took;
  texts all;
  for (std::size_t n = 0; n < 30; ++n) {
    const auto ip = "10.0.0." + std::to_string(n);
    const auto node = n % 3;
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(c.enter(node, ip));
    // The node that was asked shows it when it answers.
    CHECK(c.shown(node).contains(ip));
    all.insert(ip);
    for (std::size_t other = 0; other < 3; ++other)
      whole_node::wait([&] { return c.shown(other).contains(ip); });
    took.push_back(std::chrono::steady_clock::now() - begin);
  }
  std::ranges::sort(took);
  const auto ms = [&](std::size_t i) {
    return std::chrono::duration_cast<milliseconds>(took[i]).count();
  };
  MESSAGE("board: distro_seen_everywhere_p50_ms=", ms(15),
          " distro_seen_everywhere_max_ms=", ms(29));
  CHECK(took[27] < 1s * slowness);
}

TEST_CASE("distro: beats at any node keep a client, silence ends it") {
  naming_cluster c;
  const texts all{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"};
  for (const auto& ip : all)
    REQUIRE(c.enter(0, ip));
  {
    beating_clients clients(c, all);
    c.wait_all(all);
    c.check_kept(all, 5s * slowness);
  }
  // Its owner alone decides, and everybody sees it.
  c.wait_all(
      {"10.0.0.1 sick", "10.0.0.2 sick", "10.0.0.3 sick", "10.0.0.4 sick"});
  c.wait_all({});
}

TEST_CASE("distro: a client may leave at any node") {
  // Nobody beats here, and nobody shall fall ill meanwhile.
  naming_cluster c{runtime::naming_settings{}};
  texts all;
  for (std::size_t n = 0; n < 9; ++n) {
    const auto ip = "10.0.0." + std::to_string(n);
    REQUIRE(c.enter(n % 3, ip));
    all.insert(ip);
  }
  c.wait_all(all);
  for (std::size_t n = 0; n < 9; ++n) {
    const auto ip = "10.0.0." + std::to_string(n);
    const auto node = (n / 3) % 3;
    REQUIRE(c.leave(node, ip));
    CHECK_FALSE(c.shown(node).contains(ip));
    all.erase(ip);
    c.wait_all(all);
  }
}

TEST_CASE("distro: no client is lost when a node goes, or when it comes") {
  naming_cluster c;
  texts all;
  for (std::size_t n = 0; n < 12; ++n)
    all.insert("10.0.0." + std::to_string(n));
  for (const auto& ip : all)
    REQUIRE(c.enter(0, ip));
  c.wait_all(all);
  beating_clients clients(c, all);
  for (std::size_t gone = 0; gone < 3; ++gone) {
    clients.avoid(gone);
    c.stop(gone);
    // Longer than any of them would be kept.
    c.check_kept(all, 6s * slowness);
    c.restart(gone);
    // A node that serves knows what its peers know.
    CHECK(c.shown(gone) == all);
    clients.back();
  }
}

TEST_CASE("distro: a connected client is seen everywhere, and its end too") {
  naming_cluster c;
  const auto first = c.connect(0, "conn-1");
  const auto second = c.connect(1, "conn-2");
  c.publish(0, first, "10.0.0.1");
  c.publish(1, second, "10.0.0.2");
  c.wait_all({"10.0.0.1", "10.0.0.2"});
  caf::anon_send(first, api::stream_closed{});
  c.wait_all({"10.0.0.2"});
  SUBCASE("its node goes: it is kept for those who come back") {
    c.stop(1);
    const auto again = c.connect(2, "conn-3");
    c.publish(2, again, "10.0.0.2");
    c.check_kept({"10.0.0.2"}, 8s * slowness);
    caf::anon_send(again, api::stream_closed{});
    c.wait_all({});
  }
  SUBCASE("its node stops, and ends its stream first") {
    c.nodes[1]->node->drain();
    caf::anon_send(second, api::stream_closed{});
    c.check_kept({"10.0.0.2"}, 1s * slowness);
    c.stop(1);
    CHECK(c.shown(0) == texts{"10.0.0.2"});
    c.wait_all({});
  }
  SUBCASE("its node goes: those who do not come back are let go") {
    c.stop(1);
    CHECK(c.shown(0) == texts{"10.0.0.2"});
    c.wait_all({});
  }
}

TEST_CASE("distro: its actors, and those of services, may die") {
  naming_cluster c;
  const texts all{"10.0.0.1", "10.0.0.2", "10.0.0.3"};
  for (const auto& ip : all)
    REQUIRE(c.enter(0, ip));
  c.wait_all(all);
  beating_clients clients(c, all);
  for (const auto* victim : {"distro", "service", "gate", "namespaces"})
    for (std::size_t node = 0; node < 3; ++node) {
      for (const auto& [name, actor] : c.nodes[node]->node->actors())
        if (name == victim)
          caf::anon_send_exit(actor, caf::exit_reason::kill);
      const auto seen = clients.rounds();
      whole_node::wait([&] {
        for (std::size_t n = 0; n < 3; ++n)
          REQUIRE(c.shown(n) == all);
        return clients.rounds() >= seen + 3;
      });
    }
  const auto late = "10.0.0.9";
  whole_node::wait([&] { return c.enter(1, late).has_value(); });
  for (std::size_t n = 0; n < 3; ++n)
    whole_node::wait([&] { return c.shown(n).contains(late); });
}
