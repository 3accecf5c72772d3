#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "actors/core/base/ids.hpp"
#include "actors/core/base/text.hpp"

namespace muster::storage {

/// Committed rows that are read again before each change of them: a write finds
/// the last version here and not in the database, which costs it several
/// microseconds. Bounded; what does not fit any more goes, in no special order.
///
/// Keys are those of the column family `state`. Any thread; a group has one
/// writer at a time (ports.hpp), so a row is never older than the database's.
class row_cache {
public:
  explicit row_cache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  std::optional<std::string> find(std::string_view key);
  /// The row was committed, or read, with this value.
  void put(std::string_view key, std::string_view value);
  /// The row is gone.
  void erase(std::string_view key);
  /// All rows of the group were replaced.
  void clear(partition_id group);

private:
  /// Several, so that two writers seldom meet.
  struct shard {
    std::mutex mutex;
    text_map<std::string> rows;
    std::size_t bytes = 0;
  };

  shard& of(std::string_view key) {
    return shards_[text_hash{}(key) % shards_.size()];
  }
  static void forget(shard& s, decltype(shard::rows)::iterator row);

  const std::size_t bytes_max_;
  std::array<shard, 16> shards_;
};

} // namespace muster::storage
