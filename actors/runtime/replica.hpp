#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/core/raft/fsm.hpp"
#include "actors/runtime/leader_desk.hpp"
#include "actors/runtime/spine.hpp"

/// The inside of a replica actor; `spawn_replica` in spine.hpp is what others
/// use.
namespace muster::runtime {

/// To oneself: hand the proposals collected from the mailbox to the core.
struct flush_proposals {};

using replica_impl = member_actor::extend<caf::reacts_to<log_written>,
                                          caf::reacts_to<applied_upto>,
                                          caf::reacts_to<flush_proposals>>;

/// One member of one partition's group: carries out what the Raft core says,
/// and answers writes and reads, if need be by way of the member that leads.
/// Everything runs on the actor's thread.
class replica_state {
public:
  static inline const char* name = "replica";

  explicit replica_state(replica_impl::pointer self) : self_(self) {}

  void start(replica_parts parts);

  // replica.cpp: the leader's side.
  caf::result<model::outcome> propose(const api::propose& m);
  caf::result<model::outcome> propose(const propose_here& m);
  caf::result<log_index> read(const api::read_barrier& m);
  caf::result<log_index> read(const read_here& m);
  caf::result<log_index> begin_read(bool by_other);
  void flush();
  void on_written(const log_written& m);
  void on_applied(const applied_upto& m);
  void on_tick();
  void on_messages(const raft_in& m);

  // replica_members.cpp
  caf::result<group_status> status() const;
  caf::result<api::done> change(const change_group& m);
  caf::result<api::done> hand_over_to(const hand_over& m);
  caf::result<raft::log_position> dismissal(const dismiss& m) const;
  caf::result<api::done> give_up(const give_up_group& m);
  void answer_elsewhere();

  // replica_snapshots.cpp
  caf::result<raft::snapshot_meta> plan(const plan_cut& m);
  void on_cut(const log_cut& m);
  caf::result<snapshot_terms> describe(const describe_snapshot& m);
  caf::result<bool> weigh(const weigh_snapshot& m);
  caf::result<api::done> accept(const take_snapshot& m);

private:
  struct collected {
    std::shared_ptr<const pb::Command> command;
    std::shared_ptr<const std::string> payload;
    reply to;
    /// Another member passed it on, and does so again if need be.
    bool passed = false;
  };
  struct waiting_read {
    std::uint64_t context;
    log_index index;
    reply to;
    bool by_other; ///< who asks again by itself
  };
  struct arrived_snapshot {
    take_snapshot what;
    reply to;
  };

  leader_desk_parts desk_parts();
  void cannot_start(const caf::error& e);
  void settled(log_index applied);
  void loaded(const raft::stored_group& stored, log_index applied);
  void carry_out(raft::output out);
  void send_apply(raft::output& out);
  void answer_reads();
  void announce();
  void note_figures();
  void lead_or_follow();
  bool leads() const {
    return has_input() && core_->current_role() == raft::role::leader;
  }
  /// Whether the core takes inputs now: not while a snapshot is installed, and
  /// not once the group is given up here.
  bool has_input() const { return core_ && !installing_ && !given_up_; }
  bool shows(log_index index);
  /// Whether there is somebody else who may lead.
  bool has_others() const { return static_cast<bool>(parts_->gate); }
  steady_time now() const { return parts_->time.steady(); }
  caf::result<model::outcome> take(std::shared_ptr<const pb::Command> command,
                                   bool by_other);

  // replica_snapshots.cpp
  void send_to(node_id follower);
  void install();
  void installed();
  void skip_waiting(log_index upto);

  node_id other_leader() const;
  node_id any_leader() const { return core_ ? core_->leader() : node_id{}; }

  replica_impl::pointer self_;
  std::optional<replica_parts> parts_;
  std::optional<raft::fsm> core_;
  std::vector<collected> collected_;
  std::size_t bytes_in_progress_ = 0;
  std::deque<waiting_proposal> waiting_;
  /// Proposed while this node led: applied or overtaken, some day.
  std::vector<waiting_proposal> stale_;
  std::vector<waiting_read> reads_;
  std::uint64_t read_context_ = 0;
  log_index applied_;
  bool announced_ = false;
  bool announcing_ = false;

  /// Where the tables stand that are on their way to other members.
  std::map<node_id, log_index> sending_;
  std::optional<arrived_snapshot> arrived_;
  bool installing_ = false;
  bool given_up_ = false;
  /// Readers of this node go elsewhere.
  bool answers_at_once_ = false;

  /// Has the leader do what is asked of this member.
  std::optional<leader_desk<replica_impl::pointer>> desk_;
};

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::flush_proposals)
