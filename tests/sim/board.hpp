#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace muster::sim {

/// Figures of a run in one line that machines read (reliability.md, section 8):
/// `board: key=value …`, keys and values without blanks.
class board {
public:
  board& add(std::string_view key, std::string_view value) {
    text_.append(" ").append(key).append("=").append(value);
    return *this;
  }
  board& add(std::string_view key, std::unsigned_integral auto value) {
    return add(key, std::string_view(std::to_string(value)));
  }
  board& add(std::string_view key, double value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.3f", value);
    return add(key, std::string_view(digits));
  }
  /// `key_p50`, `key_p99` and `key_max` of some values.
  board& add_spread(const std::string& key, std::vector<std::uint64_t> values) {
    std::ranges::sort(values);
    const auto at = [&values](std::size_t per_cent) {
      return values.empty() ? 0 : values[(values.size() - 1) * per_cent / 100];
    };
    return add(key + "_p50", at(50))
        .add(key + "_p99", at(99))
        .add(key + "_max", at(100));
  }

  /// Equal for equal runs.
  board& add_trace(std::uint64_t value) {
    char digits[20];
    std::snprintf(digits, sizeof digits, "%016llx",
                  static_cast<unsigned long long>(value));
    return add("trace", std::string_view(digits));
  }

  const std::string& text() const noexcept { return text_; }

private:
  std::string text_ = "board:";
};

} // namespace muster::sim
