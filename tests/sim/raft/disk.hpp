#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "actors/core/raft/fsm.hpp"
#include "tests/sim/raft/random.hpp"

namespace muster::sim {

/// What the commands made: enough to see whether two members did the same.
struct machine {
  raft::log_position applied;
  std::uint64_t hash = 0;
  /// Ids of commands, in the order applied.
  std::vector<std::uint64_t> done;

  void apply(const raft::entry& e);
};

/// The disk of one simulated node. What is not synced is lost in a crash, in
/// the order of the log store's contract: each write is there whole or not at
/// all, and not without the ones before.
class disk {
public:
  /// What a node finds when it starts.
  raft::stored_group load() const;

  void begin(std::uint64_t number, const raft::output& out,
             std::uint64_t done_at);
  /// The log is to go, and the tables soon after; what is on its way comes
  /// first.
  void begin_give_up(const raft::log_position& to, std::uint64_t done_at);
  /// Tables that nobody wants any more go for good.
  void drop_tables();
  /// There may be a log again.
  void begin_anew();
  /// The newest write that is done by then; 0 = none.
  std::uint64_t finish(std::uint64_t now);
  bool busy() const { return !pending_.empty(); }
  /// A crash: the first writes on their way may have made it.
  void lose_unsynced(random& chance);

  /// An entry that is durable, or null.
  const raft::entry* find(log_index index) const;
  /// Whether an entry is here for good, be it in a snapshot.
  bool keeps(const raft::log_position& position) const;
  /// Or was, before it was given up: its votes go on to protect it.
  bool vouches(const raft::log_position& position) const {
    return keeps(position) || position <= floor;
  }

  void compact(const raft::snapshot_meta& meta);

  raft::hard_state state;
  raft::snapshot_meta snapshot;
  std::vector<raft::entry> log; ///< behind the snapshot
  raft::log_position floor;
  bool given_up = false;
  /// The tables as they were flushed last.
  machine tables;
  /// The snapshot the tables were imported from, if they were.
  raft::snapshot_meta imported;

private:
  struct write {
    std::uint64_t number;
    std::uint64_t done_at;
    std::optional<raft::hard_state> state;
    std::vector<raft::entry> entries;
    std::optional<raft::log_position> give_up;
  };
  void carry_out(const write& w);

  std::deque<write> pending_;
};

} // namespace muster::sim
