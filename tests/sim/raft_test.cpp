// Seeds of the simulation, and that they can be trusted to be repeated.
#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>

#include "tests/sim/raft/world.hpp"

using namespace muster;
using namespace muster::sim;

namespace {

constexpr std::uint64_t trouble_ms = 60'000;

} // namespace

TEST_CASE("S1, S5, S6: no seed breaks what the paper promises") {
  report sum;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed); // again: raft_sim --seed N
    const auto r = run(seed, trouble_ms);
    CAPTURE(r.scene);
    REQUIRE(r.violation == "");
    sum.add(r);
  }
  // Nothing of all this was idle.
  CHECK(sum.acknowledged > 100'000);
  CHECK(sum.reads > 10'000);
  CHECK(sum.leaders > 1'000);
  CHECK(sum.crashes > 1'000);
  CHECK(sum.changes > 1'000);
  CHECK(sum.snapshots > 100);
  CHECK(sum.given_up > 200);
  CHECK(sum.begun_anew > 100);
}

TEST_CASE("S1: nothing is lost by those who give their replicas up") {
  report sum;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed); // again: raft_sim --world departures --seed N
    const auto r = run(seed, trouble_ms, departures(seed));
    CAPTURE(r.scene);
    REQUIRE(r.violation == "");
    sum.add(r);
  }
  CHECK(sum.given_up > 500);
  CHECK(sum.begun_anew > 500);
}

TEST_CASE("S4: writes return after each adversary") {
  for (const auto* name :
       {"torn", "swizzle", "rolling", "bridge", "misplacing", "flapping",
        "deaf"}) {
    CAPTURE(name);
    report sum;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      CAPTURE(seed); // again: raft_sim --world NAME --seed N
      const auto r =
          run(seed, trouble_ms, adversity(*adversary_named(name), seed));
      CAPTURE(r.scene);
      REQUIRE(r.violation == "");
      sum.add(r);
    }
    // Nothing of all this was idle; over a bridge writes go on.
    CHECK(sum.episodes.size() > 20);
    const auto felt = std::ranges::count_if(
        sum.episodes, [](const auto& e) { return e.longest_ms > 1'000; });
    CHECK((felt > 0) == (std::string_view(name) != "bridge"));
  }
  CHECK_FALSE(adversary_named("nobody"));
}

TEST_CASE("S2: the same seed is the same run") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    CHECK(run(seed, trouble_ms).trace == run(seed, trouble_ms).trace);
  CHECK(run(1, trouble_ms).trace != run(2, trouble_ms).trace);
}

TEST_CASE("a calm group of three takes every command") {
  weather calm;
  calm.propose = 500'000;
  calm.read = 200'000;
  const auto r = run(7, trouble_ms, calm);
  CHECK(r.violation == "");
  CHECK(r.leaders == 1);
  CHECK(r.acknowledged > 1'000);
  CHECK(r.reads > 100);
}
