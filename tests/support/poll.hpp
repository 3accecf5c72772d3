#pragma once

#include <chrono>
#include <thread>

namespace muster::test {

/// By how much the times of tests on real threads are stretched: a sanitized
/// program does the same work several times slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int slowness = 2;
#else
inline constexpr int slowness = 1;
#endif

/// Short against what is waited for, long enough to leave the machine to it.
inline constexpr std::chrono::milliseconds poll_every{2};

/// Looks again and again whether `condition` holds, for what tells nobody when
/// it changes. False if it does not hold within `at_most`.
template <class F>
bool poll_until(F&& condition, std::chrono::milliseconds at_most) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end)
      return false;
    std::this_thread::sleep_for(poll_every);
  }
  return true;
}

} // namespace muster::test
