// What readers and watchers of nodes see of a partition while replicas come and
// go: the real actors, in virtual time, by seed.
#include <doctest/doctest.h>

#include <spdlog/spdlog.h>

#include "tests/support/environment.hpp"
#include "tests/unit/partition_views/world.hpp"

using namespace muster;

TEST_CASE("partition views: no seed shows what is older, or wakes nobody") {
  spdlog::set_level(spdlog::level::warn);
  const auto first = test::number_from("MUSTER_VIEWS_SEED", 1);
  const auto count = test::number_from("MUSTER_VIEWS_SEEDS", 30);
  std::size_t shows = 0;
  std::size_t reads = 0;
  std::size_t wakes = 0;
  for (auto seed = first; seed < first + count; ++seed) {
    test::view_world world(seed);
    const auto fault = world.run();
    CHECK_MESSAGE(fault.empty(), "seed ", seed, " ", fault,
                  "; again: MUSTER_VIEWS_SEED=", seed,
                  " MUSTER_VIEWS_SEEDS=1 partition_views_test");
    shows += world.shows();
    reads += world.reads();
    wakes += world.wakes();
  }
  MESSAGE("board: views_seeds=", count, " views_shown=", shows,
          " views_reads=", reads, " views_wakes=", wakes);
  CHECK(shows > count);
  CHECK(wakes > count);
}
