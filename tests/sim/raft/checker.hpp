#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
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

  explicit checker(raft::configuration first) : first_(std::move(first)) {}

  /// A member begins with what its disk has; `first` is what it was told of the
  /// group's beginning.
  void starts(node_id node, const raft::stored_group& stored,
              const raft::configuration& first);
  /// Terms and votes only move on (paper 5.1, 5.2).
  void persists(node_id node, const raft::hard_state& state);
  /// What a message promises is on the sender's disk (paper figure 2).
  static void says(const raft::message& m, const raft::fsm& core,
                   const disk& own);
  /// Election safety and leader completeness; the votes are on disks.
  void leads(node_id node, const raft::fsm& core, const disks& all);
  /// Log matching, by induction over (index, term) and what stands before it.
  /// Configurations follow each other as they may (thesis 4.1, 4.3), and the
  /// newest one in the log is in force.
  void appends(node_id node, const raft::fsm& core,
               const std::vector<raft::entry>& entries);
  /// A leader says so: a majority has it on disk, and it is of the leader's
  /// term (paper 5.4.2).
  void commits(node_id node, const raft::fsm& core, const disks& all);
  /// A leader lets a node give its replica up: at what is committed, with the
  /// members that count there and now, of whom it is none.
  void dismisses(node_id node, const raft::fsm& leader,
                 const raft::log_position& at) const;
  /// A snapshot stands for what was applied, with the configuration that was in
  /// force there (thesis 5.1).
  void describes(node_id node, const raft::snapshot_meta& meta) const;
  /// A member took a snapshot; perhaps the end of its log stayed.
  void installs(node_id node, const raft::fsm& core,
                const raft::snapshot_meta& meta, bool tail_stays);
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
  /// What a member has to know, learned from what it wrote.
  struct member_view {
    raft::hard_state state;
    /// The configurations of its log, and the one that its log begins with.
    std::map<log_index, raft::configuration> members;
  };
  struct applied_entry {
    term_id term;
    std::uint64_t hash;
  };
  void check_change(node_id node, const raft::fsm& core,
                    const raft::configuration& next) const;
  void check_members(node_id node, const raft::fsm& core) const;

  raft::configuration first_;
  /// The configurations applied anywhere.
  std::map<log_index, raft::configuration> in_force_;
  std::map<node_id, member_view> views_;
  std::map<term_id, node_id> leaders_;
  std::map<raft::log_position, known_entry> entries_;
  std::map<log_index, applied_entry> applied_;
  log_index committed_;
  term_id committed_term_;
  std::set<std::uint64_t> acknowledged_;
  std::set<std::uint64_t> refused_;
};

} // namespace muster::sim
