#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "actors/core/raft/ports.hpp"
#include "actors/core/raft/types.hpp"

namespace muster::raft {

/// What the core knows of its own log: the term of every entry behind the
/// snapshot, and the newest entries themselves. Older entries are in the log
/// store only; who needs them asks the shell.
///
/// Owned by one core, one thread. Indexes run from `start().index` (the
/// snapshot's, whose entry is gone) to `last().index`.
class log_view {
public:
  explicit log_view(const stored_group& stored);

  /// Where the compacted prefix ends.
  const log_position& start() const noexcept { return start_; }
  const log_position& last() const noexcept { return last_; }

  /// Nothing for what is compacted away or not there yet.
  std::optional<term_id> term_at(log_index index) const;
  bool has(const log_position& position) const {
    return term_at(position.index) == position.term;
  }

  /// The newest position at or before `limit.index` with a term not above
  /// `limit.term`: where two logs may still agree (paper 5.3, faster).
  log_position newest_not_above(const log_position& limit) const;

  /// The entry that follows; its term is not below the last one's.
  void append(entry e);

  /// Forgets the entries from `from` on. Precondition: start < from.
  void truncate(log_index from);

  /// The prefix up to `upto`, which is in this log, is compacted away.
  void compact(log_index upto);

  /// The log is empty and begins behind `position`.
  void reset(const log_position& position);

  /// Entries in [from, to) if they are in memory, about `bytes_max` bytes but
  /// at least one. Nothing if the shell has to read them.
  std::optional<std::vector<entry>> in_memory(log_index from, log_index to,
                                              std::size_t bytes_max) const;

  /// The part of (after, upto] that is in memory, which is the end of it.
  std::vector<entry> newest_of(log_index after, log_index upto) const;

  /// Entries up to `upto` need not be in memory.
  void release(log_index upto);
  std::size_t bytes_in_memory() const noexcept { return bytes_; }

private:
  log_index first_in_memory() const noexcept {
    return log_index{last_.index.value + 1 - recent_.size()};
  }

  log_position start_;
  log_position last_;
  /// Ordered; the first one may begin at or before `start_`.
  std::vector<term_run> runs_;
  /// Ends with the entry at `last_`, unless it is empty.
  std::deque<entry> recent_;
  std::size_t bytes_ = 0;
};

} // namespace muster::raft
