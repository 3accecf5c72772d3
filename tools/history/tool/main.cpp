// Checks recorded histories:
//   history_check [--steps N] [--memory-mib N] FILE...
// Several files are one history, of one machine's clock. It ends with 0 if
// every key is linearizable, 1 if not or undecided, 2 if it could not read
// them.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/history/check.hpp"
#include "tools/history/lines.hpp"

namespace {

using namespace muster::history;

struct request {
  bounds within;
  std::vector<std::string> files;
};

struct sums {
  std::size_t operations = 0;
  std::size_t unknown = 0;
  std::size_t failed = 0;
  std::size_t violations = 0;
  std::size_t undecided = 0;
};

std::optional<request> read_arguments(int count, char** words) {
  request out;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word != "--steps" && word != "--memory-mib") {
      if (word.starts_with("--"))
        return {};
      out.files.emplace_back(word);
      continue;
    }
    if (++i == count)
      return {};
    const std::string_view text = words[i];
    std::uint64_t value = 0;
    const auto [end, bad] =
        std::from_chars(text.data(), text.data() + text.size(), value);
    if (bad != std::errc{} || end != text.data() + text.size())
      return {};
    if (word == "--steps")
      out.within.steps_max = value;
    else
      out.within.memory_bytes_max = value << 20;
  }
  if (out.files.empty())
    return {};
  return out;
}

bool read_all(const std::vector<std::string>& files, by_key& out) {
  for (const auto& name : files) {
    std::ifstream file(name);
    if (!file) {
      std::fprintf(stderr, "%s: cannot be opened\n", name.c_str());
      return false;
    }
    if (const auto done = read_lines(file, out); !done) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(),
                   done.error().message.c_str());
      return false;
    }
  }
  return true;
}

void show_violation(const std::string& key, const std::vector<operation>& all,
                    const bounds& within) {
  std::printf("FAIL: %s is not linearizable; these alone cannot be:\n",
              key.c_str());
  const auto core = offending(all, within);
  for (const auto& each : core)
    std::printf("  %s\n", tell(each, core.front().invoked).c_str());
}

void check(const std::string& key, const std::vector<operation>& all,
           const bounds& within, sums& sum) {
  for (const auto& each : all) {
    sum.unknown += each.outcome == fate::unknown;
    sum.failed += each.outcome == fate::failed;
  }
  sum.operations += all.size();
  switch (check_key(all, within)) {
  case verdict::linearizable:
    return;
  case verdict::violation:
    ++sum.violations;
    show_violation(key, all, within);
    return;
  case verdict::undecided:
    ++sum.undecided;
    std::printf("FAIL: %s: undecided, %zu operations are too many for the "
                "bounds\n",
                key.c_str(), all.size());
  }
}

} // namespace

int main(int argc, char** argv) {
  const auto asked = read_arguments(argc, argv);
  if (!asked) {
    std::fputs("history_check [--steps N] [--memory-mib N] FILE...\n", stderr);
    return 2;
  }
  by_key all;
  if (!read_all(asked->files, all))
    return 2;
  const auto begun = std::chrono::steady_clock::now();
  sums sum;
  for (const auto& [key, operations] : all)
    check(key, operations, asked->within, sum);
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - begun;
  std::printf("operations=%zu keys=%zu unknown=%zu failed=%zu violations=%zu "
              "undecided=%zu seconds=%.2f\n",
              sum.operations, all.size(), sum.unknown, sum.failed,
              sum.violations, sum.undecided, took.count());
  return sum.violations + sum.undecided == 0 ? 0 : 1;
}
