#pragma once

#include <chrono>

/// Time as an argument. Cores take `now` as a parameter; shells hold a `clock`.
namespace muster {

using std::chrono::milliseconds;

/// Time of day, for what people and clients see (modify times, history).
using wall_time = std::chrono::sys_time<milliseconds>;
/// Time that never jumps, for deadlines, heart-beats and time-outs.
using steady_time
  = std::chrono::time_point<std::chrono::steady_clock, milliseconds>;

/// Where a shell reads time. Implementations are safe for any thread; tests
/// inject their own.
class clock {
public:
  virtual ~clock() = default;
  virtual wall_time wall() const = 0;
  virtual steady_time steady() const = 0;
};

/// The machine's clocks. One instance, lives for the whole process.
const clock& system_clock();

/// Milliseconds since the Unix epoch, the form that goes on wires and disks.
inline std::uint64_t to_unix_ms(wall_time t) {
  return static_cast<std::uint64_t>(t.time_since_epoch().count());
}

} // namespace muster
