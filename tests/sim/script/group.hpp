#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "actors/core/raft/fsm.hpp"
#include "tests/sim/raft/disk.hpp"
#include "tests/sim/script/text.hpp"

namespace muster::sim::script {

/// The members of one group, their disks and the post between them. Nothing
/// happens by itself: time passes, messages arrive and (on slow disks) writes
/// become durable only when asked for. Every effect becomes a line of text.
///
/// It carries out what the core says as a shell has to, and looks at every step
/// for what Raft promises (paper figure 3); `failure` if that is broken.
class group {
public:
  // -- members and their disks
  void add(const raft::fsm::settings& s);
  disk& disk_of(node_id id);
  std::vector<node_id> ids() const;
  bool runs(node_id id) { return at(id).core.has_value(); }
  void start(node_id id);
  /// What is not durable is gone.
  void crash(node_id id);
  /// Writes of a slow disk wait for `sync`; else they are durable at once.
  void set_slow(node_id id, bool slow);
  void sync(node_id id, std::uint64_t writes);

  // -- inputs
  void tick(node_id id, std::uint64_t ms);
  /// Lets time pass for this member until it wants to lead.
  void campaign(node_id id);
  void propose(node_id id, const std::vector<std::string>& commands);
  void change(node_id id, const raft::configuration& target);
  void transfer(node_id id, node_id to);
  void read(node_id id, std::uint64_t context);
  void compact(node_id id, log_index upto);
  void send_snapshot(node_id id, node_id to);
  void snapshot_over(node_id id, node_id to);
  /// Says to one that is no member that it may give its replica up.
  void dismiss(node_id id, node_id to);
  /// Reads what the core wants for `to`; or says it is not there.
  void answer_fetch(node_id id, node_id to, bool nothing);

  // -- the post
  enum class which : std::uint8_t { all, first, last };
  struct choice {
    link way;
    std::string kind; ///< empty = any
    which one = which::all;
  };
  /// Everything not held, and what comes of it, until nothing is left.
  void deliver_all();
  void deliver(const choice& c);
  void drop(const choice& c);
  void duplicate(const choice& c);
  void reverse(const choice& c);
  void hold(const link& way) { held_.push_back(way); }
  void release(const link& way) { std::erase(held_, way); }
  void cut(const link& way) { cut_.push_back(way); }
  void heal() { cut_.clear(); }
  void forge(const raft::message& m);

  // -- looking
  void show_state(node_id id);
  void show_log(node_id id);
  std::vector<std::string> take_lines() { return std::exchange(lines_, {}); }

private:
  struct snapshot_letter {
    node_id from;
    node_id to;
    term_id term;
    raft::snapshot_meta meta;
  };
  struct dismissal_letter {
    node_id from;
    node_id to;
    raft::log_position at;
  };
  using letter =
      std::variant<raft::message, snapshot_letter, dismissal_letter>;
  struct node {
    raft::fsm::settings settings;
    std::optional<raft::fsm> core; ///< none while it is down, or gone
    bool gone = false;             ///< runs, and gave its replica up
    disk store;
    raft::log_position applied;
    std::uint64_t now_ms = 0;
    std::uint64_t newest_write = 0;
    std::deque<std::uint64_t> writing; ///< of a slow disk
    bool slow = false;
    std::optional<snapshot_letter> installing;
    std::vector<raft::fetch> fetches;
  };

  node& at(node_id id);
  node& running(node_id id);
  void say(node_id id, const std::string& what);
  void drain(node& n);
  void carry_out(node& n, raft::output& out);
  void write(node& n, const raft::output& out);
  void apply(node& n, const raft::output& out);
  void apply(node& n, const raft::entry& e);
  void install(node& n);
  void post(letter l);
  void receive(const letter& l);
  void receive(node& n, const raft::message& m);
  void receive(node& n, const snapshot_letter& s);
  void receive(node& n, const dismissal_letter& d);
  /// False if a node without a replica has no reason to begin anew.
  bool is_called_back(node& n, const letter& l);
  static std::string name_of(const letter& l);
  static std::string line_of(const letter& l);
  std::vector<std::size_t> chosen(const choice& c) const;
  bool is_held(const letter& l) const;
  static std::string describe(const raft::fsm& core);
  static void forget(node& n);

  std::map<node_id, node> nodes_;
  std::deque<letter> post_;
  std::vector<link> held_;
  std::vector<link> cut_;
  std::vector<std::string> lines_;
  std::map<term_id, node_id> leaders_;
  std::map<log_index, raft::entry> history_; ///< as applied by anybody
};

} // namespace muster::sim::script
