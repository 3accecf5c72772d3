#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tools/history/operation.hpp"

/// One key's operations in the form that the search works on.
namespace muster::history {

/// Contents by number. Those that no read showed and no compare-and-set
/// expected are all the same to everybody: `other`.
using content_id = std::uint32_t;
inline constexpr content_id nothing = 0;
inline constexpr content_id other = 1;

inline constexpr std::uint32_t no_node = ~std::uint32_t{0};

/// What an operation asks of the register and does to it.
struct effect {
  enum class kind : std::uint8_t {
    /// Stores `content` whatever is there.
    write,
    /// There has to be nothing or `expected`; stores `content`.
    swap,
    /// There has to be something, and not `expected`.
    conflict,
    /// There has to be `content`.
    read,
  };
  kind what = kind::read;
  content_id content = nothing;
  content_id expected = nothing;

  bool changes() const noexcept {
    return what == kind::write || what == kind::swap;
  }
  bool fits(content_id stored) const noexcept {
    switch (what) {
    case kind::write:
      return true;
    case kind::swap:
      return stored == nothing || stored == expected;
    case kind::conflict:
      return stored != nothing && stored != expected;
    case kind::read:
      return stored == content;
    }
    return false;
  }
  auto operator<=>(const effect&) const = default;
};

/// An operation that has to be in the order.
struct entry {
  std::int64_t invoked = 0;
  std::int64_t returned = never;
  effect does;
  /// Whose later local reads have to come after it.
  std::uint32_t node = no_node;
  bool local = false;
};

/// Unknown operations that do the same; each may be in the order or not.
struct spare {
  effect does;
  /// When each was invoked, rising.
  std::vector<std::int64_t> invoked;
};

struct prepared {
  /// By time of invocation.
  std::vector<entry> entries;
  std::vector<spare> spares;
  std::uint32_t nodes = 0;
  std::uint32_t contents = 2;
  /// A read showed what nobody can have stored.
  bool impossible = false;
};

prepared prepare(std::span<const operation> operations);

} // namespace muster::history
