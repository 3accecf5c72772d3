#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "actors/core/raft/fsm.hpp"
#include "tests/sim/raft/disk.hpp"

namespace muster::sim {

/// Looks on from outside, knows what all members do, and says what must never
/// be (paper figure 3; reliability.md, machinery 2). Throws `violation`.
struct violation {
  std::string what;
};

class checker {
public:
  using disks = std::map<node_id, disk>;

  /// Election safety and leader completeness.
  void leads(node_id node, const raft::fsm& core);
  /// Log matching, by induction over (index, term) and what stands before it.
  void appends(node_id node, const raft::fsm& core,
               const std::vector<raft::entry>& entries);
  /// A leader says so: a majority has it on disk.
  void commits(node_id node, const raft::fsm& core, const disks& all);
  /// State machine safety, equal states.
  void applies(node_id node, const raft::entry& e, const machine& after);

  /// The client was told that it is done.
  void acknowledged(std::uint64_t id);
  /// The client was told that it did not happen, and never will.
  void refused(std::uint64_t id);

  /// What a read that begins now must see at least.
  log_index read_floor() const { return committed_; }
  void reads(log_index floor, log_index index) const;

  /// At the end, on a member that has everything: nothing acknowledged is
  /// missing, nothing refused is there, nothing is there twice.
  void ends(const machine& last) const;

  std::uint64_t acknowledged_count() const { return acknowledged_.size(); }
  log_index committed() const { return committed_; }

private:
  struct known_entry {
    term_id before;
    std::uint64_t payload;
    raft::entry_kind kind;
  };
  struct applied_entry {
    term_id term;
    std::uint64_t hash;
  };
  std::map<term_id, node_id> leaders_;
  std::map<raft::log_position, known_entry> entries_;
  std::map<log_index, applied_entry> applied_;
  log_index committed_;
  term_id committed_term_;
  std::set<std::uint64_t> acknowledged_;
  std::set<std::uint64_t> refused_;
};

} // namespace muster::sim
