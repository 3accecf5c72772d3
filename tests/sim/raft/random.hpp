#pragma once

#include <cstdint>
#include <vector>

namespace muster::sim {

/// The one source of chance of a simulated run: the same seed, the same run, on
/// every compiler (the standard's distributions are not portable).
class random {
public:
  explicit random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    auto z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  /// In [from, to].
  std::uint64_t between(std::uint64_t from, std::uint64_t to) {
    return from + next() % (to - from + 1);
  }
  /// True so many times of a million.
  bool chance(std::uint64_t of_a_million) {
    return next() % 1'000'000 < of_a_million;
  }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[static_cast<std::size_t>(next() % from.size())];
  }

private:
  std::uint64_t state_;
};

} // namespace muster::sim
