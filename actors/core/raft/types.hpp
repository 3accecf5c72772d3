#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/core/base/ids.hpp"

/// Plain data of the Raft core. Paper: Ongaro & Ousterhout, "In Search of an
/// Understandable Consensus Algorithm (Extended Version)", 2014; sections are
/// quoted as (paper 5.3). Thesis: Ongaro, "Consensus: Bridging Theory and
/// Practice", 2014, quoted as (thesis 4.2).
namespace muster::raft {

/// What an entry carries. The core never looks inside.
enum class entry_kind : std::uint8_t {
  /// Proposed by a new leader so that it may commit older terms (paper 8).
  no_op = 0,
  /// A serialized `pb::Command`.
  command = 1,
  /// A change of the configuration (thesis 4.3).
  configuration = 2,
};

/// A position in the log: ordered by term first, then index, as the election
/// restriction compares (paper 5.4.1).
struct log_position {
  term_id term;
  log_index index;
  auto operator<=>(const log_position&) const = default;
};

/// One log entry. Immutable once made; payload bytes are shared, never copied.
struct entry {
  term_id term;
  log_index index;
  entry_kind kind = entry_kind::command;
  std::shared_ptr<const std::string> payload;
};

/// Entries from `first` on have this term, up to the next run's first. A log's
/// runs tell the term of each entry at the cost of one per election.
struct term_run {
  term_id term;
  log_index first;
  bool operator==(const term_run&) const = default;
};

/// What must be on disk before a node answers (paper figure 2, "persistent
/// state on all servers").
struct hard_state {
  term_id term;
  /// Node voted for in `term`; value 0 = none.
  node_id vote;
  bool operator==(const hard_state&) const = default;
};

/// Who votes and who only follows. `outgoing` is the old set while a joint
/// change is under way (thesis 4.3), else empty.
struct configuration {
  std::vector<node_id> voters;
  std::vector<node_id> outgoing;
  std::vector<node_id> learners;
  bool operator==(const configuration&) const = default;
};

/// Where a snapshot stands: everything up to `last` is in the state, and the
/// configuration that was in force there.
struct snapshot_meta {
  log_position last;
  configuration members;
  bool operator==(const snapshot_meta&) const = default;
};

enum class role : std::uint8_t { follower, candidate, leader };

} // namespace muster::raft
