#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

/// What clients of a store of registers did and saw, and whether a store that
/// does one thing at a time could have answered so.
///
/// Pure: no clock, no chance, no files. Any thread; nothing is shared.
namespace muster::history {

/// A register holds nothing or a content. Nothing is stored at first.
enum class action : std::uint8_t {
  /// Stores `content`.
  publish,
  /// Stores `content` if nothing or `expected` is stored. Whether it did is in
  /// `swapped`.
  compare_and_set,
  /// Stores nothing.
  remove,
  /// Shows what is stored now, whoever is asked.
  read,
  /// Shows what `node` has applied: everything that `node` has acknowledged or
  /// shown before, perhaps not the newest, never what is not committed.
  local_read,
};

/// What the client learned of its request.
enum class fate : std::uint8_t {
  ok,
  /// It did not happen and will not.
  failed,
  /// It happened once, happens later or never does. Never an `ok` or `failed`
  /// in disguise: a history is only as honest as this.
  unknown,
};

inline constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

/// One request of one client. A value.
struct operation {
  std::string client;
  /// Who was asked.
  std::string node;
  std::string key;
  action what = action::read;
  /// What was to be stored, or what a read showed; none = nothing stored.
  std::optional<std::string> content;
  /// Of a compare-and-set.
  std::string expected;
  /// Of a compare-and-set that is `ok`.
  bool swapped = false;
  fate outcome = fate::ok;
  /// Monotonic nanoseconds of one machine; `never` if no answer came.
  std::int64_t invoked = 0;
  std::int64_t returned = never;
  /// Where it stands in the file it was read from; 1 is the first.
  std::size_t line = 0;
};

} // namespace muster::history
