// Runs seeds of the simulation:
//   raft_sim [--world NAME] [--seed N] [--count N] [--ms N] [--failures N]
// It ends early after so many failures. Worlds: random (the default) and those
// of tests/sim/README.md.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/board.hpp"
#include "tests/sim/groups/fleet.hpp"
#include "tests/sim/groups/growth.hpp"
#include "tests/sim/model/model_run.hpp"
#include "tests/sim/raft/world.hpp"

namespace {

using namespace muster;

struct options {
  std::string world = "random";
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  std::uint64_t ms = 60'000;
  std::uint64_t failures_max = ~std::uint64_t{0};
};

/// Nothing for arguments that make no sense.
std::optional<options> parse(int argc, char** argv) {
  options o;
  if (argc % 2 == 0)
    return std::nullopt;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--world") {
      o.world = argv[i + 1];
      continue;
    }
    auto* number = name == "--seed"       ? &o.seed
                   : name == "--count"    ? &o.count
                   : name == "--ms"       ? &o.ms
                   : name == "--failures" ? &o.failures_max
                                          : nullptr;
    char* end = nullptr;
    const auto value = std::strtoull(argv[i + 1], &end, 10);
    if (!number || end == argv[i + 1] || *end != '\0')
      return std::nullopt;
    *number = value;
  }
  return o;
}

/// Runs the seeds; `run` makes a report of one. Returns the exit code.
template <class Run>
int play(const options& o, Run&& run) {
  const auto begun = std::chrono::steady_clock::now();
  decltype(run(o.seed)) sum;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  for (; done < o.count && failed < o.failures_max; ++done) {
    const auto seed = o.seed + done;
    const auto r = run(seed);
    sum.add(r);
    if (r.violation.empty())
      continue;
    ++failed;
    std::printf("seed %llu: %s\n%s  again: raft_sim --world %s --seed %llu "
                "--ms %llu\n",
                static_cast<unsigned long long>(seed), r.violation.c_str(),
                r.scene.c_str(), o.world.c_str(),
                static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(o.ms));
  }
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - begun;
  sim::board line;
  line.add("suite", "sim")
      .add("world", std::string_view(o.world))
      .add("first_seed", o.seed)
      .add("seeds", done)
      .add("failed", failed)
      .add("seconds", took.count());
  sum.tell(line, took.count());
  std::printf("%s\n", line.text().c_str());
  return failed == 0 ? 0 : 1;
}

int usage() {
  std::fputs("raft_sim [--world NAME] [--seed N] [--count N] [--ms N] "
             "[--failures N]\n",
             stderr);
  return 2;
}

} // namespace

int main(int argc, char** argv) {
  const auto o = parse(argc, argv);
  if (!o)
    return usage();
  if (o->world == "random")
    return play(*o, [&](std::uint64_t seed) { return sim::run(seed, o->ms); });
  if (o->world == "departures")
    return play(*o, [&](std::uint64_t seed) {
      return sim::run(seed, o->ms, sim::departures(seed));
    });
  if (o->world == "groups")
    return play(
        *o, [&](std::uint64_t seed) { return sim::run_fleet(seed, o->ms); });
  if (o->world == "growth")
    return play(
        *o, [&](std::uint64_t seed) { return sim::run_growth(seed, o->ms); });
  if (o->world == "model")
    return play(*o, [](std::uint64_t seed) { return sim::run_model(seed); });
  const auto adversary = sim::adversary_named(o->world);
  if (!adversary)
    return usage();
  return play(*o, [&](std::uint64_t seed) {
    return sim::run(seed, o->ms, sim::adversity(*adversary, seed));
  });
}
