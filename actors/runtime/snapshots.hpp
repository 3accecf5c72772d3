#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/api/messages.hpp"
#include "actors/core/base/clock.hpp"
#include "actors/core/raft/ports.hpp"

/// How a group's tables get to a member that is too far behind for the log.
///
/// The leader's replica has its node's sender hold the tables open and offer
/// them (`send_snapshot`); the receiver on the other node pulls them part by
/// part into a file and hands that to the replica there (`take_snapshot`),
/// which has the state worker take it in (`install_tables`) once the core
/// agrees. The receiver sets the pace: one part is on its way while another is
/// written. What is lost on the way is asked for again; what is damaged as
/// well.
namespace muster::runtime {

struct node_handles;

/// Bounds and times of both ends.
struct snapshot_settings {
  std::size_t part_bytes = std::size_t{512} << 10U;
  /// Tables that a node holds open for others.
  std::size_t sent_max = 4;
  /// Snapshots that a node takes in at the same time.
  std::size_t received_max = 4;
  /// What nobody has begun to pull, or goes on to, is offered again.
  milliseconds offer_every{500};
  /// Tables that nobody pulls for so long are closed; a receiver that gets
  /// nothing for so long gives up.
  milliseconds quiet_max{20'000};
  /// No tables are held open longer.
  milliseconds age_max{1'800'000};
  /// After so long without a part another offer is taken instead.
  milliseconds stalled_after{3'000};
  milliseconds retry_every{200};
};

// -- sender -------------------------------------------------------------------

/// From a replica that leads: offer the group's tables to that node.
/// -> done, once that is over. `resource_exhausted`: too many are on their way.
struct send_snapshot {
  partition_id group;
  node_id to;
};
/// From the door: pb::SnapshotPull -> pb::SnapshotPart, or nothing if that was
/// the end. `not_found`: these tables are not open any more.
struct give_part {
  std::string pull;
};

using snapshot_sender_actor =
    caf::typed_actor<caf::replies_to<send_snapshot>::with<api::done>,
                     caf::replies_to<give_part>::with<std::string>>;

// -- receiver -----------------------------------------------------------------

/// How a receiver answers an offer; numbers cross the wire.
enum class offer_answer : std::uint8_t {
  not_needed = 0, ///< what it brings is here
  taken = 1,      ///< it is being pulled
  later = 2,      ///< not now: offer it again
};
/// From the door: pb::SnapshotOffer -> offer_answer as a number.
struct consider_offer {
  std::string offer;
};

using snapshot_receiver_actor =
    caf::typed_actor<caf::replies_to<consider_offer>::with<std::uint64_t>>;

// -- gate ---------------------------------------------------------------------

/// To the gate: have the receiver, or the sender, on that node do so.
struct offer_at {
  node_id to;
  std::string offer;
};
struct pull_at {
  node_id to;
  std::string pull;
};

// -- replica ------------------------------------------------------------------

/// To a replica: what goes with its group's tables as of `at`, which it asked
/// to send to that node. Until `send_snapshot` is answered it keeps the log
/// behind `at`. -> snapshot_terms. `unavailable` if it does not lead or `at` is
/// compacted away.
struct describe_snapshot {
  node_id to;
  raft::log_position at;
};
struct snapshot_terms {
  raft::snapshot_meta meta;
  term_id term;
};
/// To a replica: whether a snapshot that this leader offers would bring
/// something. `unavailable` if that is not known now.
struct weigh_snapshot {
  raft::snapshot_meta meta;
  node_id from;
  term_id term;
};
/// Rows that have arrived whole. Changes hands, is used by one thread at a
/// time.
using arrived_rows = std::shared_ptr<raft::state_store::importer>;
/// To a replica: a whole snapshot. -> done, once it is installed or was not
/// needed.
struct take_snapshot {
  raft::snapshot_meta meta;
  node_id from;
  arrived_rows rows;
};

// -- state worker -------------------------------------------------------------

/// To a state worker: put these rows in the place of the group's tables,
/// durably, compact the log to them, and tell who watches what is different.
/// -> log_position the tables are at. After an error they may be the old or the
/// new ones, and `settle_group` says which.
struct install_tables {
  partition_id group;
  raft::snapshot_meta meta;
  arrived_rows rows;
};
/// To a state worker: -> log_position up to which the tables are. Finishes
/// before that what a crash cut short: the log is compacted to a snapshot that
/// the tables have taken in.
struct settle_group {
  partition_id group;
};

/// What both ends work with. References outlive them.
struct snapshot_parts {
  raft::state_store& tables;
  node_handles& handles;
  node_id self;
  const clock& time;
  snapshot_settings settings;
};

/// Detached: they read tables and write files. They keep nothing that may not
/// be lost: what is under way when one ends begins anew.
snapshot_sender_actor spawn_snapshot_sender(caf::actor_system& system,
                                            snapshot_parts parts);
snapshot_receiver_actor spawn_snapshot_receiver(caf::actor_system& system,
                                                snapshot_parts parts);

} // namespace muster::runtime

#define MUSTER_LOCAL(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::type)
MUSTER_LOCAL(runtime::send_snapshot)
MUSTER_LOCAL(runtime::give_part)
MUSTER_LOCAL(runtime::consider_offer)
MUSTER_LOCAL(runtime::offer_at)
MUSTER_LOCAL(runtime::pull_at)
MUSTER_LOCAL(runtime::describe_snapshot)
MUSTER_LOCAL(runtime::snapshot_terms)
MUSTER_LOCAL(runtime::weigh_snapshot)
MUSTER_LOCAL(runtime::take_snapshot)
MUSTER_LOCAL(runtime::install_tables)
MUSTER_LOCAL(runtime::settle_group)
#undef MUSTER_LOCAL
