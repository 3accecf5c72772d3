// Clients' loads and moves over a cluster, with front-ends that only count.
#include <doctest/doctest.h>

#include "actors/runtime/balancer.hpp"
#include "tests/unit/runtime/whole_cluster.hpp"

using namespace muster;
using namespace muster::test;

namespace {

/// Clients that go at once, to where they are sent.
struct counted_clients final : api::client_streams {
  explicit counted_clients(std::size_t n) : here(n) {}

  api::client_counts counts() const override {
    const std::lock_guard lock(mutex);
    return {here + 1, here};
  }
  std::vector<api::client_row> rows() const override { return {}; }
  bool reset(std::string_view, std::string_view) override { return false; }
  std::size_t shed(std::size_t keep,
                   std::span<const std::string> targets) override {
    const std::lock_guard lock(mutex);
    const auto going = here - std::min(here, keep);
    for (std::size_t i = 0; i < going; ++i)
      ++sent[targets.empty() ? "" : targets[i % targets.size()]];
    here -= going;
    return going;
  }
  std::map<std::string, std::size_t> take_sent() {
    const std::lock_guard lock(mutex);
    return std::exchange(sent, {});
  }
  void come(std::size_t more) {
    const std::lock_guard lock(mutex);
    here += more;
  }

  mutable std::mutex mutex;
  std::size_t here;
  std::map<std::string, std::size_t> sent;
};

struct counted_cluster : whole_cluster {
  std::vector<std::shared_ptr<counted_clients>> clients;

  explicit counted_cluster(std::initializer_list<std::size_t> numbers) {
    for (const auto each : numbers) {
      clients.push_back(std::make_shared<counted_clients>(each));
      nodes[clients.size() - 1]->node->serve_clients(clients.back());
    }
    for (const auto& each : nodes)
      whole_node::wait([&] { return survey(*each).rows.size() == 3; });
  }

  static api::load_survey survey(whole_node& at) {
    return ask<api::load_survey>(at, api::survey_loads{}).value();
  }
  static result<api::clients_balanced> balance(whole_node& at) {
    return ask<api::clients_balanced>(at, api::balance_clients{});
  }
  std::string address(std::size_t at) {
    return nodes[at]->node->members()->own().address();
  }

private:
  template <class Answer, class M>
  static result<Answer> ask(whole_node& at, const M& message) {
    caf::scoped_actor self{at.node->system()};
    result<Answer> out = fail(errc::unknown, "no answer");
    self->request(at.node->balancer(), 10s, message)
        .receive([&](Answer& a) { out = std::move(a); },
                 [&](const caf::error& e) {
                   out = std::unexpected(api::from_caf(e));
                 });
    return out;
  }
};

} // namespace

TEST_CASE("balancer: every member tells what it carries") {
  counted_cluster c({30, 0, 6});
  for (const auto& each : c.nodes) {
    const auto all = c.survey(*each);
    CHECK(all.members == 3);
    REQUIRE(all.rows.size() == 3);
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> got;
    for (const auto& row : all.rows) {
      CHECK(row.load >= 0);
      CHECK((row.cpu >= 0 && row.cpu <= 1));
      got.emplace(row.address, std::pair{row.sdks, row.connections});
    }
    CHECK(got[c.address(0)] == std::pair<std::uint64_t, std::uint64_t>{30, 31});
    CHECK(got[c.address(1)] == std::pair<std::uint64_t, std::uint64_t>{0, 1});
    CHECK(got[c.address(2)] == std::pair<std::uint64_t, std::uint64_t>{6, 7});
  }
}

TEST_CASE("balancer: asked again and again, any node evens the clients out") {
  counted_cluster c({60, 0, 0});
  std::size_t rounds = 0;
  for (;; ++rounds) {
    REQUIRE(rounds < 100);
    const auto done = c.balance(*c.nodes[rounds % 3]);
    REQUIRE(done);
    std::size_t arrived = 0;
    for (const auto& from : c.clients)
      for (const auto& [address, count] : from->take_sent())
        for (std::size_t to = 0; to < 3; ++to)
          if (c.address(to) == address) {
            c.clients[to]->come(count);
            arrived += count;
          }
    CHECK(arrived == done->asked);
    if (done->asked == 0)
      break;
  }
  for (const auto& each : c.clients) {
    CHECK(each->counts().sdks >= 18);
    CHECK(each->counts().sdks <= 24);
  }
}

TEST_CASE("balancer: a member that is cut off is left out") {
  counted_cluster c({30, 0, 0});
  c.cut(2);
  whole_node::wait([&] { return c.survey(*c.nodes[0]).rows.size() == 2; });
  CHECK(c.survey(*c.nodes[0]).members == 3);
  const auto done = c.balance(*c.nodes[0]);
  REQUIRE(done);
  CHECK(done->asked == 3);
  CHECK(c.clients[0]->take_sent()
        == std::map<std::string, std::size_t>{{c.address(1), 3}});
}

TEST_CASE("balancer: a node that drains sends its clients to all others") {
  counted_cluster c({250, 0, 0});
  whole_node::wait([&] {
    return cluster::refuges(*c.nodes[0]->node->members()).size() == 2;
  });
  c.nodes[0]->node->drain();
  whole_node::wait([&] { return c.clients[0]->counts().sdks == 0; });
  CHECK(c.clients[0]->take_sent()
        == std::map<std::string, std::size_t>{{c.address(1), 125},
                                              {c.address(2), 125}});
}

TEST_CASE(
    "balancer: a node that takes no streams yet says so, and a node alone "
    "has nobody to move") {
  CHECK(runtime::serve_clients_call({}, nullptr).sdks() == 0);
  whole_node n;
  const auto all = counted_cluster::survey(n);
  REQUIRE(all.rows.size() == 1);
  CHECK(all.rows[0].sdks == 0);
  const auto streams = std::make_shared<counted_clients>(9);
  n.node->serve_clients(streams);
  CHECK(counted_cluster::survey(n).rows[0].sdks == 9);
  CHECK(counted_cluster::balance(n)->asked == 0);
}
