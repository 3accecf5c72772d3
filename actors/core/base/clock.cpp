#include "actors/core/base/clock.hpp"

namespace muster {

namespace {

class machine_clock final : public clock {
public:
  wall_time wall() const override {
    return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  }
  steady_time steady() const override {
    return std::chrono::floor<milliseconds>(std::chrono::steady_clock::now());
  }
};

} // namespace

const clock& system_clock() {
  static const machine_clock instance;
  return instance;
}

} // namespace muster
