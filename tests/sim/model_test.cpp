// The state machines do what is written of them, and do it the same again.
#include <doctest/doctest.h>

#include "tests/sim/model/model_run.hpp"

using namespace muster::sim;

TEST_CASE("S9: commands do what a naive oracle says, and replay to the byte") {
  model_report sum;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed); // again: raft_sim --world model --seed N
    const auto r = run_model(seed);
    CAPTURE(r.scene);
    REQUIRE(r.violation == "");
    sum.add(r);
  }
  CHECK(sum.commands == 12 * 400);
  CHECK(sum.refused > 400);
  CHECK(sum.repeated > 200);
  CHECK(sum.events > 2'000);
  CHECK(sum.replayed > sum.commands);
}

TEST_CASE("S2: the same seed gives the same tables") {
  CHECK(run_model(1).trace == run_model(1).trace);
  CHECK(run_model(1).trace != run_model(2).trace);
}
