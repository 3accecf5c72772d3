#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/board.hpp"

/// A large cluster that grows: partitions move to nodes that were added, while
/// clients write.
namespace muster::sim {

struct growth_settings {
  std::size_t nodes = 100;
  std::size_t groups = 1'000;
  std::size_t added = 10;
};

struct growth_report {
  std::string violation; ///< empty = none
  std::string scene;
  std::uint64_t simulated_ms = 0;
  /// Of one idle group in one second, before nodes come.
  double idle_messages = 0;
  double idle_bytes = 0;
  /// Of a node in one second then: calls of `tick`, and messages to peers.
  double replica_ticks = 0;
  double envelopes = 0;
  /// All calls of `tick` in the whole run.
  std::uint64_t ticks = 0;
  /// From the moment the nodes came until votes and leaders were even.
  std::uint64_t rebalance_ms = 0;
  std::uint64_t changes = 0;
  std::uint64_t moves = 0;

  void add(const growth_report& other);
  void tell(board& line, double seconds) const;
};

/// `ms`: for how long the messages of idle groups are counted.
growth_report run_growth(std::uint64_t seed, std::uint64_t ms,
                         const growth_settings& s = {});

} // namespace muster::sim
