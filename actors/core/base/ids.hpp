#pragma once

#include <compare>
#include <cstdint>
#include <functional>

/// Strong number types: an index never becomes a term by accident.
namespace muster {

/// A 64-bit number with a meaning. Ordered, hashable, no implicit conversion.
template <class Tag>
struct strong_u64 {
  std::uint64_t value = 0;

  constexpr strong_u64() = default;
  constexpr explicit strong_u64(std::uint64_t v) : value(v) {}
  constexpr auto operator<=>(const strong_u64&) const = default;
  constexpr strong_u64 next() const { return strong_u64{value + 1}; }
};

/// Election epoch of a Raft group (Raft paper, section 5.1). Starts at 1.
using term_id = strong_u64<struct term_tag>;
/// Position in a Raft group's log. The first entry is 1; 0 = "before the log".
using log_index = strong_u64<struct log_index_tag>;
/// A node of the cluster, drawn once when its data directory is made.
using node_id = strong_u64<struct node_tag>;
/// A Raft group: 0 is `meta`, 1…P hold configs (design.md, Partitions).
using partition_id = strong_u64<struct partition_tag>;

} // namespace muster

template <class Tag>
struct std::hash<muster::strong_u64<Tag>> {
  std::size_t operator()(muster::strong_u64<Tag> x) const noexcept {
    return std::hash<std::uint64_t>{}(x.value);
  }
};
