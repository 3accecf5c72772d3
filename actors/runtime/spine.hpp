#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/typed_actor.hpp>

#include "actors/api/actors.hpp"
#include "actors/api/config_index.hpp"
#include "actors/core/base/clock.hpp"
#include "actors/core/cluster/membership_core.hpp"
#include "actors/core/cluster/partition_view.hpp"
#include "actors/core/cluster/rebalance.hpp"
#include "actors/core/raft/message.hpp"
#include "actors/core/raft/ports.hpp"
#include "actors/core/raft/types.hpp"
#include "actors/runtime/figures.hpp"
#include "actors/runtime/reply.hpp"
#include "actors/runtime/snapshots.hpp"

namespace muster::pb {
class PartitionRead;
class PeerAnswer;
}

/// The write path's own actors and what they say to each other: replica ->
/// log_writer -> replica -> state_worker (deploy/docs/architecture.md).
namespace muster::runtime {

/// To the log writer: make this durable, then tell the sender.
struct append_log {
  raft::append_batch batch;
  std::uint64_t write = 0;
};
/// To a replica: its write of that number, and all before it, are durable.
struct log_written {
  std::uint64_t write = 0;
};
/// To the log writer: -> stored_group of that group.
struct load_group {
  partition_id group;
};
/// Someone who waits for an entry to be applied, with the command as it was
/// proposed (so that it need not be parsed again). If an entry of another term
/// is applied there, the command did not happen and never will.
struct waiting_proposal {
  raft::log_position at;
  std::shared_ptr<const pb::Command> command;
  std::size_t bytes = 0;
  reply to;
};

/// Work for a state worker: apply everything up to `upto`. Entries not given
/// here are read from the log store.
struct apply_work {
  partition_id group;
  log_index upto;
  std::vector<raft::entry> entries;
  /// In the order of their indexes.
  std::vector<waiting_proposal> waiting;
};
using apply_work_ptr = std::shared_ptr<apply_work>;
struct apply_committed {
  apply_work_ptr work;
};
/// To a replica: the tables have everything up to here.
struct applied_upto {
  raft::log_position position;
};

/// To a state worker: -> log_entries, from `from` on, about so many bytes; empty
/// if that is compacted away or not there.
struct read_log {
  partition_id group;
  log_index from;
  std::size_t bytes_max = 0;
};
struct log_entries {
  std::vector<raft::entry> rows;
};

/// To a replica: time passed.
struct raft_tick {};
/// To a replica: from members on other nodes.
struct raft_in {
  std::vector<raft::message> messages;
};
/// To the gate: for members on other nodes. May be lost.
struct raft_out {
  partition_id group;
  std::vector<raft::message> messages;
};
/// To a replica, from the gate: as `propose` and `read_barrier`, but only if it
/// leads; else `unavailable`, and nothing was done.
struct propose_here {
  std::shared_ptr<const pb::Command> command;
};
struct read_here {};
/// To the gate, from the door: answers of another node, and an answer for one
/// (pb::PeerAnswer).
struct calls_answered {
  node_id by;
  std::vector<std::shared_ptr<const pb::PeerAnswer>> answers;
};
struct answer_call {
  node_id to;
  std::shared_ptr<const pb::PeerAnswer> answer;
};
/// To the gate: have the replica on that node do so. Without an answer the
/// outcome is `unknown`.
struct propose_at {
  node_id to;
  partition_id group;
  std::shared_ptr<const pb::Command> command;
};
struct read_at {
  node_id to;
  partition_id group;
};

/// To a replica: -> group_status
struct get_group {};
struct group_status {
  term_id term;
  /// As far as known here; 0 = nobody.
  node_id leader;
  /// None on who does not lead.
  std::optional<cluster::placed_group> led;
};
/// To a replica that leads: -> done, once the change is on its way.
/// `failed_precondition` if the members are not `from` any more.
struct change_group {
  raft::configuration from;
  raft::configuration to;
};
/// To a replica that leads: -> done, once that one was asked to take over.
struct hand_over {
  node_id to;
};
/// To a replica that leads: what lets that node, which is no member, give its
/// replica up (raft::fsm::dismissal). -> log_position
struct dismiss {
  node_id who;
};
/// To the supervisor, and from it to the replica: a dismissal of this node. ->
/// done, from the replica, which takes no inputs any more;
/// `failed_precondition` if it may be counted on (raft::fsm::may_give_up).
struct give_up_group {
  partition_id group;
  raft::log_position dismissal;
};
/// To a replica that was given up: readers go elsewhere, so what it owes need
/// not be shown by its own tables.
struct answer_at_once {};
/// To the supervisor: members on other nodes speak to a group that has no
/// replica here.
struct group_called {
  partition_id group;
  raft_in said;
};
/// To the log writer (raft::log_store::give_up and begin_anew). -> done
struct give_up_log {
  partition_id group;
  raft::log_position dismissal;
};
struct begin_log_anew {
  partition_id group;
};

/// To the gate: have that node's placement do so (pb::PlacementCall).
/// -> its answer
struct placement_at {
  node_id to;
  std::string call;
};
/// To the placement, from the door: another node's pb::PlacementCall.
/// -> pb::PlacementReport
struct placement_here {
  std::string call;
};

/// To the membership: another node's record of the members.
struct record_heard {
  std::shared_ptr<const pb::MembershipRecord> record;
};
/// To the gate: other members are in `node_context::members`.
struct members_changed {};

/// To the gate, from the door: that node can be reached, it reached us.
struct peer_greeted {
  node_id from;
};
/// To the membership: a node answered; a node did not.
struct peer_heard {
  node_id from;
  cluster::member_facts facts;
  /// It knows of a cluster.
  bool clustered = false;
};
struct peer_missed {
  node_id from;
};

/// To a replica: how far the log may be cut, if the tables are durable up to
/// `applied` and so many entries before that are to stay for members that are
/// behind. -> snapshot_meta; index 0: not at all
struct plan_cut {
  raft::log_position applied;
  std::uint64_t kept = 0;
};
/// To a replica: the log was cut so.
struct log_cut {
  log_index upto;
};

/// To the gate: a pb::DistroMessage for another node's distro. May be lost; if
/// there is no way, distro is told so.
struct distro_out {
  node_id to;
  std::shared_ptr<const std::string> body;
};
/// To distro: from another node's.
struct distro_in {
  node_id from;
  std::string body;
};
/// To distro: there is no way to that node now.
struct distro_unsent {
  node_id to;
};

/// To the gate: ask a member that of its clients (pb::ClientsCall). ->
/// pb::ClientsReport, serialized
struct clients_at {
  node_id to;
  std::string call;
};

// -- partitions without a replica here (partition_proxy.hpp) ------------------

/// To the partition server: a read of another node; to a state worker: one that
/// need not wait, of tables that are shown. -> pb::PartitionAnswer, serialized
struct read_partition {
  partition_id group;
  std::shared_ptr<const pb::PartitionRead> what;
};
/// To the gate: have that node's partition server do so.
struct read_partition_at {
  node_id to;
  partition_id group;
  std::string read;
};
/// To the partition server: what is applied behind `from` will be told.
struct tables_shown {
  partition_id group;
  log_index from;
};
/// To the partition server: what was applied up to here was told.
struct tables_advanced {
  partition_id group;
  log_index upto;
};
/// To a state worker: from now on readers and watchers of this node get what
/// these tables say. -> log_index up to which they were applied before.
/// `unavailable` if readers saw newer ones.
struct show_group {
  partition_id group;
};
/// To a state worker: no longer. -> log_index up to which watchers were told
struct hide_group {
  partition_id group;
};
/// To a state worker: the tables of a group that is not shown go, durably. ->
/// done
struct drop_group {
  partition_id group;
};
/// To the supervisor, from a partition's proxy: readers and writers of this node
/// have what they need.
struct partition_usable {
  partition_id group;
};
/// To a partition's proxy: the replica here goes. -> done, once readers and
/// writers of this node come to the proxy.
struct stand_in {};

/// To a state worker: -> applied_position of a group.
struct get_applied {
  partition_id group;
};
/// To whoever started a replica: it leads, and has applied what it found.
struct replica_ready {
  partition_id group;
};

/// The only writer of the logs; detached. Batches whatever stands in its
/// mailbox into one synced write. A failed write ends it for good: the store
/// refuses further appends, and the replicas stop with it.
using log_writer_actor
  = caf::typed_actor<caf::reacts_to<append_log>,
                     caf::replies_to<load_group>::with<raft::stored_group>,
                     caf::replies_to<give_up_log>::with<api::done>,
                     caf::replies_to<begin_log_anew>::with<api::done>>;

/// Applies and reads tables; detached. The single writer of the snapshots of
/// its partitions' configs.
using state_worker_actor
  = api::state_actor::extend<caf::reacts_to<apply_committed>,
                             caf::replies_to<get_applied>::with<
                               raft::log_position>,
                             caf::replies_to<read_log>::with<log_entries>,
                             caf::replies_to<install_tables>::with<
                               raft::log_position>,
                             caf::replies_to<settle_group>::with<
                               raft::log_position>,
                             caf::replies_to<read_partition>::with<std::string>,
                             caf::replies_to<show_group>::with<log_index>,
                             caf::replies_to<hide_group>::with<log_index>,
                             caf::replies_to<drop_group>::with<api::done>>;

/// A replica as the node itself sees it.
using member_actor
  = api::replica_actor::extend<
    caf::reacts_to<raft_tick>, caf::reacts_to<raft_in>,
    caf::replies_to<propose_here>::with<model::outcome>,
    caf::replies_to<read_here>::with<log_index>,
    caf::replies_to<get_group>::with<group_status>,
    caf::replies_to<change_group>::with<api::done>,
    caf::replies_to<hand_over>::with<api::done>,
    caf::replies_to<plan_cut>::with<raft::snapshot_meta>,
    caf::reacts_to<log_cut>,
    caf::replies_to<describe_snapshot>::with<snapshot_terms>,
    caf::replies_to<weigh_snapshot>::with<bool>,
    caf::replies_to<take_snapshot>::with<api::done>,
    caf::replies_to<dismiss>::with<raft::log_position>,
    caf::replies_to<give_up_group>::with<api::done>,
    caf::reacts_to<answer_at_once>>;

/// Stands in for a partition that is not shown here (partition_proxy.hpp).
using partition_proxy_actor
  = api::state_actor::extend<
    caf::replies_to<api::propose>::with<model::outcome>,
    caf::replies_to<api::read_barrier>::with<log_index>,
    caf::reacts_to<replica_ready>, caf::replies_to<stand_in>::with<api::done>>;

/// Answers other nodes' proxies (partition_server.hpp).
using partition_server_actor
  = caf::typed_actor<caf::replies_to<read_partition>::with<std::string>,
                     caf::reacts_to<model::event>,
                     caf::reacts_to<tables_shown>,
                     caf::reacts_to<tables_advanced>>;

/// The node's only way to other nodes (peer.hpp).
using gate_actor
  = caf::typed_actor<caf::reacts_to<raft_out>, caf::reacts_to<distro_out>,
                     caf::reacts_to<calls_answered>,
                     caf::reacts_to<answer_call>,
                     caf::reacts_to<peer_greeted>,
                     caf::reacts_to<members_changed>,
                     caf::replies_to<placement_at>::with<std::string>,
                     caf::replies_to<propose_at>::with<model::outcome>,
                     caf::replies_to<read_at>::with<log_index>,
                     caf::replies_to<offer_at>::with<std::uint64_t>,
                     caf::replies_to<pull_at>::with<std::string>,
                     caf::replies_to<clients_at>::with<std::string>,
                     caf::replies_to<read_partition_at>::with<std::string>>;

/// Who lives (membership.hpp).
using membership_actor = caf::typed_actor<caf::reacts_to<peer_heard>,
                                          caf::reacts_to<peer_missed>,
                                          caf::reacts_to<record_heard>>;

/// Where the groups are (placement.hpp).
using placement_actor = api::placement_actor::extend<
    caf::replies_to<placement_here>::with<std::string>>;

/// What a state worker works with. References outlive it.
struct state_worker_parts {
  raft::log_store& logs;
  raft::state_store& tables;
  api::config_index& index;
  /// Number of config partitions, 1…P.
  std::uint64_t partitions = 0;
  /// Brings an event to its owner's mailbox; called on the worker's thread,
  /// before the writer's answer goes out.
  std::function<void(const model::event&)> route;
  /// Whether readers and watchers of this node get what the tables say; if not,
  /// nothing is published or routed. Null: always.
  std::function<cluster::partition_view*(partition_id)> view{};
  /// Who is read instead.
  std::function<api::state_actor(partition_id)> elsewhere{};
  /// From there on everything is routed.
  std::function<void(partition_id, log_index)> shown{};
  /// Everything up to there was.
  std::function<void(partition_id, log_index)> advanced{};
  /// Has a thread of its own: its stores block. False in simulations.
  bool detached = true;
};

/// Of all replicas of a cluster.
struct replica_times {
  /// What an idle group costs, and so a node with many of them, goes with it;
  /// five of them have to get lost before a member wants to lead.
  milliseconds heartbeat_every{200};
  milliseconds election_after{1000};
  /// How long a request waits here for a leader.
  milliseconds leader_wait{4000};
  /// And for the leader's answer.
  milliseconds answer_wait{5000};
  /// How long a snapshot may take to get to another member.
  milliseconds snapshot_wait{1'900'000};
};

/// What a replica works with. References outlive it.
struct replica_parts {
  partition_id group;
  node_id self;
  /// Who the group begins with.
  raft::configuration members;
  log_writer_actor writer;
  state_worker_actor worker;
  /// Null on a node that stands alone.
  gate_actor gate;
  /// Whoever sends snapshots now; not asked on a node that stands alone.
  std::function<snapshot_sender_actor()> sender;
  /// What is answered once this replica is given up may not be newer than what
  /// readers get then.
  cluster::partition_view& view;
  const clock& time;
  partition_figures& figures;
  replica_times times;
  /// Proposals in progress at most, and their bytes.
  std::size_t proposals_max = 16384;
  std::size_t proposal_bytes_max = 256U << 20;
  /// Told once with `replica_ready`.
  caf::actor starter;
};

log_writer_actor spawn_log_writer(caf::actor_system& system,
                                  raft::log_store& logs, node_figures& figures);
state_worker_actor spawn_state_worker(caf::actor_system& system,
                                      state_worker_parts parts);
member_actor spawn_replica(caf::actor_system& system, replica_parts parts);

} // namespace muster::runtime

#define MUSTER_LOCAL(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::type)
MUSTER_LOCAL(runtime::append_log)
MUSTER_LOCAL(runtime::log_written)
MUSTER_LOCAL(runtime::load_group)
MUSTER_LOCAL(runtime::apply_committed)
MUSTER_LOCAL(runtime::applied_upto)
MUSTER_LOCAL(runtime::get_applied)
MUSTER_LOCAL(runtime::read_at)
MUSTER_LOCAL(runtime::calls_answered)
MUSTER_LOCAL(runtime::answer_call)
MUSTER_LOCAL(runtime::propose_at)
MUSTER_LOCAL(runtime::read_here)
MUSTER_LOCAL(runtime::propose_here)
MUSTER_LOCAL(runtime::raft_out)
MUSTER_LOCAL(runtime::raft_in)
MUSTER_LOCAL(runtime::raft_tick)
MUSTER_LOCAL(runtime::log_entries)
MUSTER_LOCAL(runtime::read_log)
MUSTER_LOCAL(runtime::get_group)
MUSTER_LOCAL(runtime::group_status)
MUSTER_LOCAL(runtime::change_group)
MUSTER_LOCAL(runtime::hand_over)
MUSTER_LOCAL(runtime::dismiss)
MUSTER_LOCAL(runtime::group_called)
MUSTER_LOCAL(runtime::begin_log_anew)
MUSTER_LOCAL(runtime::give_up_group)
MUSTER_LOCAL(runtime::answer_at_once)
MUSTER_LOCAL(runtime::give_up_log)
MUSTER_LOCAL(runtime::read_partition)
MUSTER_LOCAL(runtime::read_partition_at)
MUSTER_LOCAL(runtime::tables_advanced)
MUSTER_LOCAL(runtime::tables_shown)
MUSTER_LOCAL(runtime::show_group)
MUSTER_LOCAL(runtime::hide_group)
MUSTER_LOCAL(runtime::drop_group)
MUSTER_LOCAL(runtime::stand_in)
MUSTER_LOCAL(runtime::partition_usable)
MUSTER_LOCAL(runtime::placement_at)
MUSTER_LOCAL(runtime::placement_here)
MUSTER_LOCAL(runtime::record_heard)
MUSTER_LOCAL(runtime::members_changed)
MUSTER_LOCAL(runtime::peer_greeted)
MUSTER_LOCAL(runtime::peer_heard)
MUSTER_LOCAL(runtime::peer_missed)
MUSTER_LOCAL(runtime::distro_out)
MUSTER_LOCAL(runtime::distro_in)
MUSTER_LOCAL(runtime::distro_unsent)
MUSTER_LOCAL(runtime::clients_at)
MUSTER_LOCAL(runtime::replica_ready)
MUSTER_LOCAL(runtime::plan_cut)
MUSTER_LOCAL(runtime::log_cut)
MUSTER_LOCAL(raft::snapshot_meta)
MUSTER_LOCAL(raft::stored_group)
MUSTER_LOCAL(raft::log_position)
#undef MUSTER_LOCAL
