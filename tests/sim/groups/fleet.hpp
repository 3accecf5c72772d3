#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/cluster/rebalance.hpp"
#include "actors/core/raft/fsm.hpp"
#include "muster/peer.pb.h"
#include "tests/sim/board.hpp"
#include "tests/sim/raft/random.hpp"

/// Many groups over the same few nodes (reliability.md, S8): what the groups
/// share is a node's processor, its log writer (one sync for all) and its gate,
/// which sends one message per peer and round. Everything else (loss, crashes)
/// is raft/world.hpp's business; here nothing fails, one group may be slow.
namespace muster::sim {

struct fleet_settings {
  std::size_t nodes = 5;
  std::size_t groups = 100;
  /// Whatever group 0 hears or has written, it learns this much later.
  std::uint64_t slow_us = 0;
};

/// What a seed brings: how many groups, and how slow the slow one is.
fleet_settings fleet_of(std::uint64_t seed);

/// What is measured once all groups have a leader.
struct fleet_figures {
  std::uint64_t steps = 0;
  std::uint64_t ticks = 0;
  std::uint64_t ticks_lost = 0; ///< begun more than half a tick late
  std::uint64_t replica_ticks = 0;
  std::uint64_t envelopes = 0;
  std::uint64_t leaders = 0;            ///< new ones, but of the slow group
  std::uint64_t first_messages = 0;     ///< of group 0
  std::uint64_t idle_messages = 0;      ///< of the groups nobody writes to
  std::uint64_t idle_bytes = 0;         ///< of these messages
  std::vector<std::uint64_t> writes_us; ///< how long each took
};

class fleet {
public:
  fleet(std::uint64_t seed, const fleet_settings& s);
  /// What is to happen points here.
  fleet(const fleet&) = delete;
  fleet& operator=(const fleet&) = delete;

  /// Lets all groups elect a leader, then measures for so long. Throws
  /// `violation` if members of a group disagree or nobody gets elected.
  fleet_figures measure(std::uint64_t ms);

  /// What whoever places the groups sees, and what it has done (growth.hpp).
  std::vector<cluster::placed_node> placed_nodes() const;
  std::vector<cluster::placed_group> placed_groups();
  void carry_out(const cluster::placement_steps& steps);
  /// Nodes that hold nothing yet.
  void add_nodes(std::size_t count);
  /// Clients write meanwhile.
  void pass(std::uint64_t for_ms);
  /// Since the last measurement.
  const fleet_figures& figures() const { return figures_; }

private:
  struct replica {
    std::size_t group;
    std::optional<raft::fsm> core;
    std::vector<raft::entry> log; ///< the log store's
    log_index applied;
    /// When the writes that wait here were begun.
    std::map<log_index, std::uint64_t> clients;
  };
  struct log_write {
    std::size_t group;
    std::uint64_t number;
    std::size_t bytes;
  };
  struct node {
    node_id id;
    std::map<std::size_t, replica> replicas; ///< by group
    std::map<node_id, pb::RaftTraffic> due;  ///< by peer
    std::map<node_id, std::uint64_t> link_free_at;
    std::vector<log_write> to_write;
    bool flush_due = false;
    bool syncing = false;
    std::uint64_t busy_until = 0;
    std::uint64_t tick_due = 0;
  };
  /// What happens at a node, once its processor is free.
  struct event {
    node* where;
    std::function<void()> act;
  };
  /// What all members of a group have to agree on.
  struct group_state {
    std::map<term_id, node_id> leaders;
    node* leading = nullptr;            ///< who was elected last
    std::vector<std::uint64_t> applied; ///< hashes, by index
  };

  void begin_replica(node& n, std::size_t group, raft::configuration members);
  void schedule(std::uint64_t at, node& where, std::function<void()> act);
  void run_until(std::uint64_t end);
  void tick(node& n);
  void collect(node& n, std::size_t group, const raft::message& m);
  void flush(node& n);
  void arrived(node& n, const std::string& bytes);
  void begin_sync(node& n);
  void synced(node& n, const std::vector<log_write>& writes);
  /// What a replica is told: at once, or late if its group is the slow one.
  void tell(node& n, std::size_t group,
            const std::function<void(raft::fsm&)>& what);
  void drain(node& n, replica& r);
  void carry_out(node& n, replica& r, raft::output& out);
  void apply(replica& r, log_index upto);
  void offer_writes();
  void write(node& n, std::size_t group);
  /// Where a group's leader is, or null.
  node* leader_of(std::size_t group);
  bool is_slow(std::size_t group) const {
    return group == 0 && settings_.slow_us > 0;
  }
  /// Every other group is written to, and the one that may be slow.
  static bool is_idle(std::size_t group) { return group % 2 == 1; }
  void use_processor(node& n, std::uint64_t us) {
    n.busy_until = std::max(n.busy_until, now_) + us;
  }

  fleet_settings settings_;
  random chance_;
  std::uint64_t now_ = 0;   ///< in µs
  std::uint64_t order_ = 0; ///< of events of one time
  std::deque<node> nodes_;  ///< what is to happen points at them
  std::vector<group_state> groups_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, event> events_;
  bool measuring_ = false;
  bool leaders_move_ = false; ///< then writes may be refused
  std::uint64_t next_id_ = 0;
  fleet_figures figures_;
};

/// A fleet with a slow group against the same one without.
struct fleet_report {
  std::string violation; ///< empty = none
  std::string scene;
  std::uint64_t groups = 0;
  std::uint64_t simulated_ms = 0;
  std::uint64_t steps = 0;
  std::uint64_t ticks = 0;
  std::uint64_t ticks_lost = 0;
  std::uint64_t writes = 0;
  std::uint64_t envelopes = 0;
  /// Of one idle group in one second; of several runs the highest.
  double idle_messages = 0;
  double idle_bytes = 0;
  /// What the slow group says against what it says when it is not slow; the
  /// highest, too.
  double chatter = 0;
  /// How much longer a write of the other groups takes beside a slow one; of
  /// several runs the highest.
  double slower_p50 = 0;
  double slower_p99 = 0;

  void add(const fleet_report& other);
  void tell(board& line, double seconds) const;
};

fleet_report run_fleet(std::uint64_t seed, std::uint64_t ms);

} // namespace muster::sim
