#pragma once

#include <algorithm>

#include "actors/core/base/clock.hpp"

namespace muster {

/// When to start a child anew: first at once, then after 50 ms, doubling up to
/// `longest`; a child that lived 10 s starts over. Pure; one per child.
class backoff {
public:
  static constexpr milliseconds first{50};
  static constexpr milliseconds healthy_after{10'000};

  backoff() = default;
  explicit backoff(milliseconds longest) noexcept : longest_(longest) {}

  /// The child was started at `now`.
  void started(steady_time now) noexcept { started_ = now; }

  /// The child died at `now`: how long to wait before starting the next.
  milliseconds died(steady_time now) noexcept {
    if (now - started_ >= healthy_after)
      delay_ = milliseconds{0};
    const auto wait = delay_;
    delay_ = std::clamp(delay_ * 2, first, longest_);
    return wait;
  }

private:
  milliseconds longest_{5'000};
  steady_time started_{};
  milliseconds delay_{0};
};

} // namespace muster
