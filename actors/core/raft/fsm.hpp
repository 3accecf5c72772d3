#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "actors/core/base/clock.hpp"
#include "actors/core/base/result.hpp"
#include "actors/core/raft/log_view.hpp"
#include "actors/core/raft/message.hpp"
#include "actors/core/raft/ports.hpp"
#include "actors/core/raft/progress.hpp"
#include "actors/core/raft/types.hpp"

/// The Raft algorithm of one group as a machine in memory.
namespace muster::raft {

/// A read that may be served once `index` is applied (thesis 6.4, step 4).
struct read_ready {
  std::uint64_t context;
  log_index index;
};

/// Entries a follower needs that are in the log store only.
struct fetch {
  node_id follower;
  log_index from;
  std::size_t bytes_max = 0;
};

/// All effects of the inputs since the last `take_output`. The shell makes
/// `state` and `entries` durable and then calls `written(write)`; it sends
/// `messages` at once (what must not be said before something is durable is
/// held back by the core), applies what `commit` covers, and answers `reads`
/// when that is applied.
struct output {
  /// Number of the write to report to `written`; 0 = nothing to write.
  std::uint64_t write = 0;
  std::optional<hard_state> state;
  /// If the first one's index is not behind the log's end, the tail from there
  /// on is replaced.
  std::vector<entry> entries;
  std::vector<message> messages;
  /// What may be applied, if that moved: committed, and durable here, so that
  /// the tables are never ahead of the log. Never moves back (paper 5.3).
  std::optional<log_index> commit;
  /// Entries up to `commit` that are still in memory. What lies between the
  /// applied index and the first of these is in the log store.
  std::vector<entry> committed;
  std::vector<read_ready> reads;
  /// To be read from the log store and given to `fetched`.
  std::vector<fetch> fetches;
  /// Followers that need a snapshot: the shell sends one and says when that is
  /// over (`snapshot_over`).
  std::vector<node_id> snapshots;
  /// Role or leader changed: the new role.
  std::optional<role> became;

  bool empty() const noexcept {
    return write == 0 && messages.empty() && !commit && reads.empty()
           && fetches.empty() && snapshots.empty() && !became;
  }
};

/// One member of one group.
///
/// Inputs are member functions, effects come out of `take_output`; no I/O, no
/// clock, no thread: the owner (an actor, a simulation) calls it from one
/// thread. It lives as long as the member runs; after a crash a new one is made
/// from what the log store has.
///
/// What it does beyond the paper's figure 2: pre-vote (thesis 9.6), a leader
/// that hears no majority steps down and nobody votes while there is a leader
/// (6.2, 4.2.3), pipelined appends whose number in flight is bounded (10.2.1),
/// the leader's own write runs beside its followers' (10.2.1), reads by index
/// (6.4), transfer of leadership (3.10), learners (4.2.1), one-by-one and joint
/// changes of the members (4.1, 4.3), and giving a replica up. A configuration
/// counts from when it is appended.
class fsm {
public:
  struct settings {
    node_id self;
    /// Who the group begins with, the same on all of them; not looked at once
    /// the log or the snapshot says otherwise, nor by who gave its replica up
    /// once. Empty: this node was not there from the beginning, and learns from
    /// the leader.
    configuration members;
    milliseconds heartbeat_every{100};
    /// A follower waits between once and twice as long before it wants to lead.
    milliseconds election_after{1000};
    /// Keeps the waits of the members apart; any number, another on each.
    std::uint64_t seed = 1;
    /// Proposals accepted and not yet committed, at most; above that `propose`
    /// answers `resource_exhausted`.
    std::size_t uncommitted_max = 16384;
    /// Of one append, about.
    std::size_t append_bytes_max = 1U << 20U;
    /// Appends on their way to one follower.
    std::size_t in_flight_max = 64;
    /// Entries kept for followers that lag behind; those further behind get
    /// theirs from the log store.
    std::size_t memory_bytes_max = 4U << 20U;
  };

  /// `stored` is what the log store found; `applied` is in the tables already,
  /// so it is committed. Precondition: the configuration entries parse.
  fsm(settings s, const stored_group& stored, log_index applied = {});

  /// Lets time pass: elections, heartbeats, leadership that is lost. To be
  /// called a few times per `heartbeat_every`. A sole voter need not wait for
  /// anybody: it wants to lead at the first tick.
  void tick(steady_time now);

  /// A message for this member of this group arrived.
  void step(const message& m);

  /// Appends a command to the leader's log. `unavailable` if not the leader or
  /// about to hand over; `resource_exhausted` above `uncommitted_max`. In both
  /// cases nothing was done. The position is where it stands if it gets
  /// committed.
  result<log_position> propose(std::shared_ptr<const std::string> payload);

  /// Starts the way to `target`. `unavailable` if not the leader, or no entry
  /// of its term is committed yet; `failed_precondition` while another change
  /// is not committed; `invalid_argument` as `enter_change` says.
  result<log_position> change_members(const configuration& target);

  /// Hands leadership to `to`: no proposals until it leads, or until an
  /// election time has passed. `unavailable` if not the leader,
  /// `invalid_argument` if `to` is no other voter, `failed_precondition` if it
  /// may not take over.
  result<void> transfer(node_id to);

  /// Asks at which index a read is linearizable. The answer comes as
  /// `output::reads` with this `context`, or never if leadership is lost.
  /// `unavailable` if not the leader.
  result<void> read_index(std::uint64_t context);

  /// The write `number` of an earlier output is durable, and all before it.
  void written(std::uint64_t number);

  /// The answer to a `fetch`; empty if they are compacted away.
  void fetched(const fetch& asked, const std::vector<entry>& entries);
  /// There is no answer; it will be asked for again.
  void fetch_failed(node_id follower);

  /// What lets `node`, which is no member any more, give its replica up: the
  /// newest committed position, sent to it by the shell. That word may be lost,
  /// doubled, late or overtaken, also by the news that the node is a member
  /// again: it is for the node to say whether it still may (`may_give_up`).
  /// `unavailable` if not the leader, or no entry of its term is committed yet;
  /// `failed_precondition` while a change is not committed, or for a member.
  result<log_position> dismissal(node_id node) const;

  /// Whether this member may forget its log for a `dismissal` that some leader
  /// said some time. It may if its log does not go beyond: then all that it
  /// helped to commit is committed before that position, too, and whoever has
  /// the position has that. From then on it votes as if its log went to there
  /// (`stored_group::floor`), so nobody wins with less than what is forgotten.
  /// It needs no terms: whoever acknowledged anything after the position, added
  /// again, has that in its log, also after a crash.
  ///
  /// `failed_precondition` if not, or while this node leads. The shell then
  /// stops this object and tells the log store (`log_store::give_up`).
  result<void> may_give_up(const log_position& dismissal) const;

  /// Whether a message is a reason to begin anew for who gave its replica up:
  /// whoever has the floor in its log sends to members only, so the node is one
  /// again. Others are to be ignored: a voter that lags behind may still count
  /// on the node, and a leader of old may still speak to it. A request for a
  /// vote counts too, since the group may be waiting for just this vote.
  static bool calls_back(const message& m, const log_position& floor);

  /// The entries up to `upto`, applied before, are gone from the log store.
  void compacted(log_index upto);

  /// The snapshot for `follower` was sent, or cannot be.
  void snapshot_over(node_id follower);

  enum class snapshot_use : std::uint8_t {
    install,    ///< import it and call `installed`, with no input between
    later,      ///< a write is on its way: ask again when that is durable
    not_needed, ///< what it brings is here; the sender is told
  };
  /// What to do with a whole snapshot that `from` sent in this term.
  snapshot_use offered(const snapshot_meta& meta, node_id from);
  /// The tables are those of a snapshot that `from` sent, durably, and the log
  /// store was compacted to it. Precondition: `offered` said so.
  void installed(const snapshot_meta& meta, node_id from);

  output take_output();

  role current_role() const noexcept;
  /// Value 0 if not known.
  node_id leader() const noexcept;
  term_id term() const noexcept { return state_.term; }
  log_index commit() const noexcept { return commit_; }
  const log_position& last() const noexcept { return log_.last(); }
  std::optional<term_id> term_at(log_index index) const {
    return log_.term_at(index);
  }
  /// The newest ones in the log, which count.
  const configuration& members() const noexcept {
    return configurations_.back().members;
  }
  /// Those in force at a committed index, for a snapshot of it.
  const configuration& members_at(log_index index) const;
  /// Nobody but leaders knows: null.
  const progress* progress_of(node_id node) const;
  /// Of one of those: it was heard of within an election time, and no transfer
  /// to it was given up lately.
  bool may_take_over(const progress& p) const;

private:
  struct follower_state {
    node_id leader; ///< 0 = not known
  };
  struct candidate_state {
    bool pre = true;
    std::set<node_id> granted;
    std::set<node_id> refused;
  };
  struct leader_state {
    std::map<node_id, progress> peers; ///< without this node
    /// First entry of the own term; commits count from there (5.4.2).
    log_index term_start;
    steady_time heartbeat_due{};
    steady_time quorum_due{};
    node_id transfer_to; ///< 0 = no transfer
    steady_time transfer_until{};
    std::uint64_t read_round = 0; ///< newest one begun
    bool round_runs = false;
    std::vector<std::uint64_t> asked;   ///< reads of the round that runs
    std::vector<std::uint64_t> waiting; ///< of the next one
    log_index round_commit;
  };
  struct write_mark {
    std::uint64_t number;
    log_index last;
    hard_state state;
  };
  struct held_message {
    std::uint64_t after; ///< the write that must be durable before
    message what;
  };
  struct dated_configuration {
    log_index index;
    configuration members;
  };

  using body = decltype(message::body);

  // fsm.cpp: what all roles share.
  void send(node_id to, body what);
  /// Sends it once everything handed out or due so far is durable.
  void send_when_durable(node_id to, body what);
  void set_state(term_id term, node_id vote);
  void append(entry e);
  void truncate(log_index from);
  void set_commit(log_index to);
  void hand_out_commit();
  bool is_sole_voter() const;
  bool may_lead() const;
  milliseconds random_wait();
  /// Where the log ends for an election: not before the floor.
  const log_position& vouched() const {
    return std::max(log_.last(), floor_);
  }

  // fsm_election.cpp
  void become_follower(term_id term, node_id leader);
  void campaign(bool pre, bool forced);
  void count_votes();
  bool hears_leader() const;
  bool meet_newer_term(const message& m);
  void meet_older_term(const message& m);
  void on(const message& m, const vote_request& v);
  void on(const message& m, const vote_reply& v);
  void on(const message& m, const timeout_now& v);

  // fsm_follower.cpp
  bool follow(node_id leader);
  void take(const std::vector<entry>& entries);
  void on(const message& m, const append_request& a);
  void on(const message& m, const heartbeat& h);

  // fsm_leader.cpp
  /// Null if this node does not lead, or that one is no other member.
  progress* peer(node_id node);
  void become_leader();
  void lead();
  void on(const message& m, const append_reply& r);
  void on(const message& m, const heartbeat_reply& r);
  void on_accepted(node_id from, progress& p, log_index index);
  void on_refused(progress& p, const append_reply& r);
  void pump();
  bool send_append(node_id to, progress& p, bool even_empty);
  void send_entries(node_id to, progress& p, std::vector<entry> entries);
  void send_heartbeat(node_id to, progress& p);
  void tell_commits();
  void advance_commit();
  void go_on_with_change();
  void adjust_peers();
  void start_round();
  void confirm_round();
  void release_memory();
  bool commit_in_own_term() const noexcept;
  log_index has(node_id node) const;
  leader_state* leading() { return std::get_if<leader_state>(&role_); }
  const leader_state* leading() const {
    return std::get_if<leader_state>(&role_);
  }

  settings settings_;
  hard_state state_;
  /// A log that was given up went on to here; else none.
  log_position floor_;
  std::variant<follower_state, candidate_state, leader_state> role_;
  log_view log_;
  /// Newest entry known to be on this node's disk; durable_ <= last.
  log_index durable_;
  /// The state known to be on this node's disk.
  hard_state durable_state_;
  log_index commit_;
  /// What `output::commit` said last; <= commit_.
  log_index handed_out_;
  /// Never empty: who was in force at or before the log's start, then what the
  /// log's entries say, in order.
  std::vector<dated_configuration> configurations_;

  steady_time now_{};
  bool ticked_ = false;
  steady_time heard_leader_{};
  /// When a follower or candidate wants to lead (again).
  steady_time election_due_{};
  std::uint64_t random_;

  /// Writes handed out and not yet reported durable, in order.
  std::vector<write_mark> writes_;
  std::uint64_t write_number_ = 0;
  std::deque<held_message> held_;
  output out_;
};

} // namespace muster::raft
