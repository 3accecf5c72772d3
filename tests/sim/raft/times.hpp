#pragma once

#include <cstdint>

#include "actors/core/base/clock.hpp"

/// How fast time runs for the members of a simulated group.
namespace muster::sim {

inline constexpr std::uint64_t step_ms = 5;
inline constexpr std::uint64_t tick_ms = 25;
inline constexpr milliseconds heartbeat_every{100};
inline constexpr milliseconds election_after{1000};

} // namespace muster::sim
