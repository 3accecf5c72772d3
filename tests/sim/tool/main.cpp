// Runs seeds of the simulation:
//   raft_sim [--seed N] [--count N] [--ms N] [--failures N]
// It ends early after so many failures.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/sim/raft/world.hpp"

int main(int argc, char** argv) {
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  std::uint64_t ms = 60'000;
  std::uint64_t failures_max = ~std::uint64_t{0};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const auto value = std::strtoull(argv[i + 1], nullptr, 10);
    (name == "--seed"       ? seed
     : name == "--count"    ? count
     : name == "--failures" ? failures_max
                            : ms) = value;
  }
  const auto begun = std::chrono::steady_clock::now();
  muster::sim::report sum;
  std::uint64_t failed = 0;
  for (auto s = seed; s < seed + count && failed < failures_max; ++s) {
    const auto r = muster::sim::run(s, ms);
    sum.add(r);
    if (r.violation.empty())
      continue;
    ++failed;
    std::printf("seed %llu: %s\n%s  again: raft_sim --seed %llu --ms %llu\n",
                static_cast<unsigned long long>(s), r.violation.c_str(),
                r.scene.c_str(), static_cast<unsigned long long>(s),
                static_cast<unsigned long long>(ms));
  }
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - begun;
  std::printf("%llu seeds, %llu failed, %.2f simulated hours in %.1f s; "
              "%llu commands acknowledged, %llu reads, %llu leaders, "
              "%llu crashes, %llu changes, %llu snapshots; "
              "healed within %llu ms; trace %016llx\n",
              static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(failed),
              static_cast<double>(sum.simulated_ms) / 3.6e6, took.count(),
              static_cast<unsigned long long>(sum.acknowledged),
              static_cast<unsigned long long>(sum.reads),
              static_cast<unsigned long long>(sum.leaders),
              static_cast<unsigned long long>(sum.crashes),
              static_cast<unsigned long long>(sum.changes),
              static_cast<unsigned long long>(sum.snapshots),
              static_cast<unsigned long long>(sum.healed_after_ms),
              static_cast<unsigned long long>(sum.trace));
  return failed == 0 ? 0 : 1;
}
