#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "actors/core/raft/ports.hpp"

/// What every implementation of `raft::log_store` checks before it writes.
namespace muster::storage {

/// Where a group's stored log stands.
struct log_tail {
  /// The compacted prefix ends here.
  raft::log_position snapshot;
  /// The newest entry; equals `snapshot` if there is none. index >= snapshot's.
  raft::log_position last;
  /// Nothing is written to a group that is given up.
  bool given_up = false;
};

/// The refusal of what comes for a group that is given up.
inline std::unexpected<error> is_given_up(partition_id group) {
  return fail(errc::invalid_argument, "group " + std::to_string(group.value)
                                          + " is given up here");
}

/// Whether a group may be given up at `floor`: its log goes no further.
inline result<void> check_give_up(const log_tail& tail, partition_id group,
                                  const raft::log_position& floor) {
  if (tail.last <= floor)
    return {};
  return fail(errc::invalid_argument, "the log of group "
                                          + std::to_string(group.value)
                                          + " goes beyond the floor");
}

/// What stays of `old` when its group is given up at `floor`.
inline raft::stored_group given_up(const raft::stored_group& old,
                                   const raft::log_position& floor) {
  raft::stored_group left;
  left.state = old.state;
  if (left.state.term < floor.term)
    left.state = {floor.term, {}};
  left.floor = std::max(old.floor, floor);
  left.given_up = true;
  return left;
}

/// Whether `batch` may follow `tail`; `tail` afterwards. The group must not be
/// given up, the entries must be consecutive, begin behind the compacted prefix
/// and at most one past the end, and their terms must not fall.
/// `invalid_argument` else: the caller is wrong, nothing was written, the log
/// goes on.
inline result<log_tail> check_append(const log_tail& tail,
                                     const raft::append_batch& batch) {
  if (tail.given_up)
    return is_given_up(batch.group);
  if (batch.entries.empty())
    return tail;
  const auto refuse = [&](const char* why) {
    return fail(errc::invalid_argument,
                "append to group " + std::to_string(batch.group.value)
                  + " at index "
                  + std::to_string(batch.entries.front().index.value) + ": "
                  + why);
  };
  const auto first = batch.entries.front().index;
  if (first <= tail.snapshot.index)
    return refuse("the index is compacted away");
  if (first > tail.last.index.next())
    return refuse("the index leaves a gap");
  auto previous = raft::log_position{
    first == tail.last.index.next() ? tail.last.term : tail.snapshot.term,
    log_index{first.value - 1}};
  for (const auto& e : batch.entries) {
    if (e.index != previous.index.next())
      return refuse("the entries are not consecutive");
    if (e.term < previous.term)
      return refuse("the terms fall");
    previous = {e.term, e.index};
  }
  return log_tail{tail.snapshot, previous};
}

/// Counts one more stored entry, the next in order, into what a group finds.
/// Its payload is looked at if it is a configuration.
inline void count_entry(raft::stored_group& found, const raft::entry& e,
                        std::string_view payload) {
  if (found.terms.empty() || found.terms.back().term != e.term)
    found.terms.push_back({e.term, e.index});
  if (e.kind == raft::entry_kind::configuration) {
    found.changes.push_back(e);
    found.changes.back().payload = std::make_shared<const std::string>(payload);
  }
  found.last = e.index;
  found.last_term = e.term;
}

/// The refusal after a failed append (ports.hpp: never retried).
inline std::unexpected<error> append_refused() {
  return fail(errc::failed_precondition,
              "the log takes no more appends: an earlier one failed");
}

/// The answer to a read of a compacted entry.
inline std::unexpected<error> compacted_away(partition_id group,
                                             log_index from) {
  return fail(errc::out_of_range,
              "entry " + std::to_string(from.value) + " of group "
                + std::to_string(group.value) + " is compacted away");
}

} // namespace muster::storage
