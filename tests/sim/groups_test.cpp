// Many groups over a few nodes do not disturb each other.
#include <doctest/doctest.h>

#include "tests/sim/groups/fleet.hpp"
#include "tests/sim/groups/growth.hpp"

using namespace muster;
using namespace muster::sim;

TEST_CASE("S8: a slow group does not slow the others") {
  fleet_report sum;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed); // again: raft_sim --world groups --seed N --ms 2000
    const auto r = run_fleet(seed, 2'000);
    CAPTURE(r.scene);
    REQUIRE(r.violation == "");
    sum.add(r);
  }
  CHECK(sum.groups >= 400);
  CHECK(sum.writes > 10'000);
  // A heartbeat and its answer, five times a second, of two followers; with one
  // envelope per peer and round, far fewer of those than messages.
  CHECK(sum.idle_messages == doctest::Approx(20).epsilon(0.05));
  CHECK(sum.idle_bytes > 0);
  CHECK(sum.envelopes > 0);
}

TEST_CASE("S2: the same seed is the same fleet") {
  const auto run = [](std::uint64_t seed) {
    return fleet(seed, {.nodes = 5, .groups = 100, .slow_us = 50'000})
        .measure(500);
  };
  CHECK(run(1).writes_us == run(1).writes_us);
  CHECK(run(1).writes_us != run(2).writes_us);
}

TEST_CASE("S5: partitions spread over nodes that are added") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    CAPTURE(seed);
    const auto r =
        run_growth(seed, 1'000, {.nodes = 12, .groups = 60, .added = 3});
    CAPTURE(r.scene);
    REQUIRE(r.violation == "");
    // Each of the three learns in twelve groups at least, then votes there.
    CHECK(r.changes >= 2 * 12);
    CHECK(r.rebalance_ms > 0);
  }
}
