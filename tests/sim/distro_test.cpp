// Whole clusters of the distro core and the services' cores, in virtual time,
// with loss, partitions, crashes and clients as SDKs are.
#include <doctest/doctest.h>

#include <string>

#include "tests/sim/distro/world.hpp"
#include "tests/support/environment.hpp"

using namespace muster;

TEST_CASE("distro: no seed loses a client that lives or keeps a dead one") {
  const auto first = test::number_from("MUSTER_DISTRO_SEED", 1);
  const auto count = test::number_from("MUSTER_DISTRO_SEEDS", 40);
  std::size_t takeovers = 0;
  for (auto seed = first; seed < first + count; ++seed) {
    sim::distro_world world(seed);
    const auto fault = world.run();
    CHECK_MESSAGE(fault.empty(), "seed ", seed, " ", fault,
                  "; again: MUSTER_DISTRO_SEED=", seed,
                  " MUSTER_DISTRO_SEEDS=1 sim_test -tc='distro*'");
    takeovers += world.takeovers();
  }
  MESSAGE("board: distro_seeds=", count, " distro_node_losses=", takeovers);
  CHECK(takeovers > 0);
}
