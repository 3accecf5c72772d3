#pragma once

#include <cstdint>
#include <deque>

#include "actors/core/base/clock.hpp"
#include "actors/core/raft/types.hpp"

namespace muster::raft {

/// What a leader knows of one follower or learner (paper figure 2, nextIndex
/// and matchIndex) and how much it may send it.
struct progress {
  enum class mode : std::uint8_t {
    /// One append at a time, until it is known where the logs agree.
    probe,
    /// Appends are sent without waiting for the ones before.
    replicate,
    /// It needs what is compacted away: nothing is sent until it has that.
    snapshot,
  };

  mode state = mode::probe;
  log_index match;
  log_index next;
  /// Highest commit index it was told.
  log_index told_commit;
  /// Newest round of reads it confirmed.
  std::uint64_t read_round = 0;
  /// When it was heard of last, or came.
  steady_time heard{};
  /// Until then leadership is not handed to it: it did not take it over.
  steady_time passed_over_until{};
  /// Probing: an append is on its way.
  bool asked = false;
  /// The shell is reading entries for it.
  bool fetching = false;
  /// Last indexes of the appends on their way, while replicating.
  std::deque<log_index> in_flight;

  void probe_from(log_index index) {
    state = mode::probe;
    next = index;
    asked = false;
    in_flight.clear();
  }
  void replicate() {
    state = mode::replicate;
    next = match.next();
    asked = false;
    in_flight.clear();
  }
  void wait_for_snapshot() {
    state = mode::snapshot;
    in_flight.clear();
  }
  bool may_send(std::size_t in_flight_max) const {
    switch (state) {
    case mode::probe:
      return !asked && !fetching;
    case mode::replicate:
      return in_flight.size() < in_flight_max && !fetching;
    case mode::snapshot:
      break;
    }
    return false;
  }
};

} // namespace muster::raft
