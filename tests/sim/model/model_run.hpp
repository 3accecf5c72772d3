#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/board.hpp"

namespace muster::sim {

/// Commands against the oracle (reliability.md, S9).
struct model_report {
  std::string violation; ///< empty = none
  std::string scene;
  std::uint64_t commands = 0; ///< each compared: outcome, events, state
  std::uint64_t refused = 0;
  std::uint64_t repeated = 0;
  std::uint64_t events = 0;
  std::uint64_t replayed = 0; ///< applied once more, from log or snapshot
  std::uint64_t trace = 0;    ///< equal for equal states in the end

  void add(const model_report& other);
  void tell(board& line, double seconds) const;
};

/// Applies what the seed says to the tables and to the oracle: after each
/// command outcome, events and all that can be asked for have to be equal. Then
/// the log once more, and a snapshot with the rest of the log: all three states
/// have to be equal to the byte.
model_report run_model(std::uint64_t seed);

} // namespace muster::sim
