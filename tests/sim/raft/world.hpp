#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "actors/core/raft/fsm.hpp"
#include "tests/sim/board.hpp"
#include "tests/sim/raft/adversary.hpp"
#include "tests/sim/raft/checker.hpp"
#include "tests/sim/raft/disk.hpp"
#include "tests/sim/raft/links.hpp"
#include "tests/sim/raft/outages.hpp"
#include "tests/sim/raft/random.hpp"

/// Whole groups in one thread and virtual time, with everything going wrong
/// that the seed says (reliability.md, S1, S5, S6).
namespace muster::sim {

/// How much goes wrong; rates are per million and step.
struct weather {
  std::size_t nodes = 3;      ///< that exist
  std::size_t voters = 3;     ///< that the group begins with
  std::uint64_t loss = 0;     ///< of a message
  std::uint64_t twice = 0;    ///< a message arrives twice
  std::uint64_t delay_ms = 5; ///< of a message, at most
  std::uint64_t sync_ms = 5;  ///< of a write, at most
  std::uint64_t crash = 0;    ///< of some node
  std::uint64_t pause = 0;    ///< of some node
  std::uint64_t cut = 0;      ///< links, by the adversary
  std::uint64_t change = 0;   ///< of the members
  std::uint64_t transfer = 0;
  std::uint64_t dismiss = 0; ///< of who is no member
  std::uint64_t compact = 0;
  std::uint64_t propose = 0;
  std::uint64_t read = 0;
  std::uint64_t drift = 0; ///< of a clock, at most so many per mille
  adversary_kind adversary = adversary_kind::torn;
  /// The adversary comes again and again, whatever `cut` says, clients write
  /// all the time, and P6 is judged (outages.hpp).
  bool watched = false;
  /// But not while links are broken: then nobody is behind, and whoever was cut
  /// off could lead.
  bool quiet = false;
};

/// What a seed brings: each kind of trouble much, a little, or not at all.
weather weather_of(std::uint64_t seed);
/// Small groups whose members come and go, and give their replicas up.
weather departures(std::uint64_t seed);
/// Little goes wrong but what the adversary does, so that it can be judged.
weather adversity(adversary_kind kind, std::uint64_t seed);

struct report {
  std::uint64_t seed = 0;
  std::string violation;   ///< empty = none
  std::string scene;       ///< how all members stood then
  std::uint64_t trace = 0; ///< equal for equal runs
  std::uint64_t steps = 0;
  std::uint64_t simulated_ms = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t reads = 0;
  std::uint64_t leaders = 0;
  std::uint64_t crashes = 0;
  std::uint64_t changes = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t given_up = 0;   ///< replicas
  std::uint64_t begun_anew = 0; ///< where one was given up before
  std::uint64_t healed_after_ms = 0;      ///< of several: the longest
  std::vector<outages::episode> episodes; ///< where P6 was judged

  /// Counts another run in; texts and seed stay.
  void add(const report& other);
  /// The figures of runs that took so many seconds.
  void tell(board& line, double seconds) const;
};

/// Runs `ms` of trouble, then heals everything and waits until all members
/// agree.
report run(std::uint64_t seed, std::uint64_t ms);
report run(std::uint64_t seed, std::uint64_t ms, const weather& w);

class world {
public:
  world(std::uint64_t seed, const weather& w);

  void trouble(std::uint64_t ms);
  /// Throws `violation` if that takes too long.
  void heal();
  report result() const;
  /// A line per member.
  std::string scene() const;

private:
  enum class event : std::uint64_t {
    started = 1,
    crashed,
    delivered,
    led,
    applied,
    left, ///< its replica was given up
  };
  struct snapshot_message {
    node_id from;
    node_id to;
    term_id term;
    raft::snapshot_meta meta;
    machine state;
  };
  /// What gives replicas up is not the core's: the leader's shell says it.
  struct dismissal_message {
    node_id from;
    node_id to;
    raft::log_position at;
  };
  using letter =
      std::variant<raft::message, snapshot_message, dismissal_message>;
  struct waiting_client {
    term_id term;
    std::uint64_t id;
    std::uint64_t asked_at;
  };
  struct reading {
    std::uint64_t done_at;
    raft::fetch asked;
    std::vector<raft::entry> found;
  };
  struct node {
    node_id id;
    std::optional<raft::fsm> core; ///< none while it is down, or gone
    /// It runs, and has given its replica up.
    bool gone = false;
    machine tables;
    std::map<log_index, waiting_client> clients;
    std::map<std::uint64_t, log_index> reads; ///< context -> floor
    std::optional<snapshot_message> installing;
    std::uint64_t install_at = 0;
    /// Followers a snapshot is on its way to, until when at most.
    std::map<node_id, std::uint64_t> sending;
    /// Entries the log store is reading.
    std::deque<reading> readings;
    log_index commit_seen;
    /// When it heard of the others last.
    std::map<node_id, std::uint64_t> heard;
    /// Since when it leads the same members without a pause.
    std::uint64_t leads_since = 0;
    std::uint64_t down_until = 0;
    std::uint64_t paused_until = 0;
    std::uint64_t tick_at = 0;
    /// Its clock's speed per mille.
    std::uint64_t clock = 1000;
  };

  raft::configuration first_members(node_id of) const;
  void start(node& n);
  void crash(node& n);
  /// The member is no more, by a crash or because it was dismissed.
  static void forget(node& n);
  void step();
  void deliver();
  void unclog();
  void receive(node& n, const letter& l);
  void receive(node& n, const snapshot_message& s);
  void receive(node& n, const dismissal_message& d);
  /// By a node that is gone.
  void hear(node& n, const letter& l);
  void live(node& n);
  void live_without(node& n);
  void install(node& n);
  /// Carries out what the core says, until it says nothing more.
  void drain(node& n);
  void carry_out(node& n, raft::output& out);
  void apply(node& n, const raft::output& out);
  void apply(node& n, const raft::entry& e);
  void read_done(node& n, const raft::read_ready& r);
  void read_log(node& n, const raft::fetch& f);
  void answer_readings(node& n);
  void send_snapshot(node& n, node_id to);
  void send(node_id from, node_id to, letter l, std::uint64_t extra_ms);

  void make_trouble();
  void break_links();
  void mend_links();
  void use_group();
  void place_leaders();
  void write_steadily();
  void propose(node& n);
  /// False if it was refused at once.
  bool take_command(node& n);
  void read(node& n);
  void change(node& n);
  void compact(node& n);
  void dismiss(node& n);
  void check_quorum(const node& n) const;
  bool agrees() const;
  node* some_leader();
  bool runs(const node& n) const { return n.core && now_ >= n.paused_until; }
  void trace(event what, std::uint64_t detail);

  weather weather_;
  random chance_;
  std::uint64_t now_ = 0;
  std::map<node_id, node> nodes_;
  checker::disks disks_;
  std::vector<node_id> ids_;
  std::multimap<std::uint64_t, letter> post_;
  links links_;
  /// What waits in clogged links: (from, to) -> in order.
  std::map<std::pair<node_id, node_id>, std::vector<letter>> clogged_;
  std::unique_ptr<adversary> adversary_; ///< none between episodes
  std::optional<outages> outages_;       ///< if P6 is judged
  checker checker_;
  std::uint64_t next_id_ = 0;
  std::uint64_t next_read_ = 0;
  std::uint64_t seeds_of_nodes_ = 0;
  report report_;
};

} // namespace muster::sim
