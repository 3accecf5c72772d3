#include <doctest/doctest.h>

#include "actors/core/cluster/membership_core.hpp"

using namespace muster;
using namespace muster::cluster;
using namespace std::chrono_literals;

namespace {

constexpr wall_time start{std::chrono::seconds{1'000}};

member at(std::uint16_t port) {
  return {
      .id = id_of("127.0.0.1", port), .host = "127.0.0.1", .http_port = port};
}

struct three {
  node_id self = at(3).id;
  node_id other = at(1).id;
  membership_core core{self, {at(3), at(1), at(2)}, 3, start};
  member_list_ptr last = core.take_change();
  wall_time now = start;

  void heard(const member_facts& facts) {
    core.heard(other, facts, now += 1s);
    if (auto changed = core.take_change())
      last = changed;
  }
  void missed() {
    core.missed(other, now += 1s);
    if (auto changed = core.take_change())
      last = changed;
  }
  member_state state() const { return last->find(other)->state; }
};

} // namespace

TEST_CASE("membership: ids follow from addresses") {
  CHECK(id_of("127.0.0.1", 1) == id_of("127.0.0.1", 1));
  CHECK(id_of("127.0.0.1", 1) != id_of("127.0.0.1", 2));
  CHECK(id_of("127.0.0.1", 1) != id_of("127.0.0.2", 1));
  // ":8848" by FNV-1a as published, computed elsewhere.
  CHECK(id_of("", 8848).value == 0xc9683411aaa8ac11U);
}

TEST_CASE("membership: one order on all nodes, and the node itself in it") {
  three m;
  REQUIRE(m.last->all.size() == 3);
  CHECK(m.last->all[0].http_port == 1);
  CHECK(m.last->all[2].http_port == 3);
  CHECK(m.last->own().id == m.self);
  CHECK(m.last->version == 1);
  CHECK(m.state() == member_state::starting);
}

TEST_CASE("membership: heard, missed, down, heard again") {
  three m;
  m.heard({.boot = 7, .version = "1.2", .zone = "z", .serving = false});
  CHECK(m.state() == member_state::starting);
  m.heard({.boot = 7, .version = "1.2", .zone = "z", .serving = true});
  CHECK(m.state() == member_state::up);
  CHECK(m.last->find(m.other)->zone == "z");
  const auto up_since = m.last->find(m.other)->changed;
  m.heard({.boot = 7, .version = "1.2", .zone = "z", .serving = true});
  CHECK(m.core.take_change() == nullptr);
  CHECK(m.last->find(m.other)->changed == up_since);
  m.missed();
  CHECK(m.state() == member_state::suspicious);
  m.missed();
  CHECK(m.state() == member_state::suspicious);
  CHECK(m.last->find(m.other)->failures == 2);
  m.missed();
  CHECK(m.state() == member_state::down);
  const auto version = m.last->version;
  m.missed();
  CHECK(m.last->version == version);
  m.heard({.boot = 8, .serving = true});
  CHECK(m.state() == member_state::up);
  CHECK(m.last->find(m.other)->boot == 8);
  CHECK(m.last->find(m.other)->failures == 0);
}

TEST_CASE("membership: one never seen starts, until it counts as down") {
  three m;
  m.missed();
  CHECK(m.state() == member_state::starting);
  m.missed();
  m.missed();
  CHECK(m.state() == member_state::down);
}

TEST_CASE("membership: one that drains says so; strangers change nothing") {
  three m;
  m.heard({.boot = 7, .serving = false, .draining = true});
  CHECK(m.state() == member_state::draining);
  m.core.heard(node_id{99}, {.boot = 1}, start);
  m.core.missed(node_id{99}, start);
  m.core.missed(m.self, start);
  CHECK(m.core.take_change() == nullptr);
}
