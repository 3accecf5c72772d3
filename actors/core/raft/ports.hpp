#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/base/result.hpp"
#include "actors/core/model/state_view.hpp"
#include "actors/core/raft/types.hpp"

/// What the Raft core's shell needs from outside. The core itself calls none of
/// these: it puts effects into `output`, the shell carries them out. They stand
/// here so that every implementation (RocksDB, memory, fault injection,
/// simulation) keeps one contract, tested by tests/contract.
namespace muster::raft {

/// What one group wants on disk. All parts of one `append_batch` become durable
/// together or not at all.
struct append_batch {
  partition_id group;
  /// Set if term or vote changed.
  std::optional<hard_state> state;
  /// Consecutive entries. If the first one's index is not behind the stored
  /// log's end, the stored tail from there on is replaced (paper 5.3).
  std::vector<entry> entries;
};

/// What a group finds when it starts.
struct stored_group {
  hard_state state;
  /// The log's compacted prefix ends here; index 0 if nothing was compacted.
  snapshot_meta snapshot;
  /// Index of the newest stored entry; equals `snapshot.last.index` if none.
  log_index last;
  term_id last_term;
  /// Of the entries behind the snapshot, in order.
  std::vector<term_run> terms;
  /// The configuration entries behind the snapshot, in order.
  std::vector<entry> changes;
  /// This node had a log and gave it up (`fsm::dismissal`): what it helped to
  /// commit stands at or before this position. Stays for ever.
  log_position floor{};
  /// There is no replica here now: all but `state` and `floor` is empty. False
  /// for a group that was never stored.
  bool given_up = false;
};

/// The logs of all groups of a node: one store, so that one sync serves all.
///
/// Threads: `append` is called by the log writer only; the others may be called
/// from any thread while an append runs. Errors: a failed `append` leaves the
/// log's tail unknown; the store refuses all further appends (a failed fsync is
/// never retried) and the groups must stop. Crash: what `append` acknowledged
/// survives power loss; an unacknowledged batch is there whole or not at all.
class log_store {
public:
  virtual ~log_store() = default;

  virtual result<stored_group> load(partition_id group) = 0;

  /// Writes all batches with a single sync. Entries that cannot follow the
  /// stored log, and anything for a group that is given up, are
  /// `invalid_argument`: nothing is written, the log goes on.
  virtual result<void> append(std::span<const append_batch> batches) = 0;

  /// Entries [from, to), at most about `bytes_max` bytes but at least one.
  /// `out_of_range` if `from` is compacted away.
  virtual result<std::vector<entry>> read(partition_id group, log_index from,
                                          log_index to,
                                          std::size_t bytes_max) = 0;

  /// Forgets entries up to and including `meta.last.index`; they must be in a
  /// durable state first. Not synced: redone at the next compaction if lost.
  /// If the stored entry at `meta.last.index` has another term, the whole log
  /// goes (paper figure 13). `invalid_argument` for a group that is given up.
  virtual result<void> compact(partition_id group,
                               const snapshot_meta& meta) = 0;

  /// In one synced write: entries, snapshot and configuration go, and the group
  /// is given up. Term and vote stay, the term at least the floor's (the vote
  /// goes if that raises it), and so does the highest floor. Done again it
  /// changes nothing. `invalid_argument`, nothing written, if the stored log
  /// goes beyond `floor`. Called by the log writer only, after all appends of
  /// the group; an error is one of `append`.
  virtual result<void> give_up(partition_id group,
                               const log_position& floor) = 0;

  /// The group may be written again, and begins with an empty log, its old
  /// state and floor. Synced; called by the log writer only. Changes nothing if
  /// the group is not given up. Before, its tables have to be gone durably
  /// (`state_store::drop_group`, `flush`): after a crash there would be tables
  /// that the log knows nothing of.
  virtual result<void> begin_anew(partition_id group) = 0;
};

/// The tables of all groups of a node.
///
/// Threads: one thread at a time per group; different groups independently.
/// Crash: the state may fall back to an older applied index, never to a mix:
/// effects and applied index of a batch are kept or lost together. The log
/// brings it forward again.
class state_store {
public:
  virtual ~state_store() = default;

  /// Index of the last entry whose effects are in the tables.
  virtual result<log_position> applied(partition_id group) = 0;

  virtual std::unique_ptr<state_reader> reader(partition_id group) = 0;

  /// Changes on top of the current tables, of one group or several: committing
  /// them together costs little more than committing one.
  class batch {
  public:
    virtual ~batch() = default;
    /// The group's rows as this batch is going to leave them. Lives as long as
    /// the batch.
    virtual state_writer& of(partition_id group) = 0;
    /// What is changed so far brings the group to this position.
    virtual void set_applied(partition_id group, log_position position) = 0;
    /// Makes all changes visible, each group's together with its position, and
    /// empties the batch.
    virtual result<void> commit() = 0;
  };
  virtual std::unique_ptr<batch> begin() = 0;

  /// Makes everything applied so far, in all groups, durable (blocks).
  virtual result<void> flush() = 0;

  /// The snapshot whose import is the newest thing that happened to the tables
  /// as a whole; index 0 if there was none. Lets a group find out after a crash
  /// that the log is still to be compacted to it.
  virtual result<snapshot_meta> imported(partition_id group) = 0;

  /// A row's place in a group's order: by table, then by the key's unsigned
  /// bytes.
  struct place {
    table_id table{0};
    std::string key;
  };
  using row_visitor = std::function<bool(table_id, std::string_view key,
                                         std::string_view value)>;

  /// A group's tables at the moment it was made, for a follower's snapshot.
  ///
  /// Holds on to what the database would else forget: not to be kept for long.
  /// One thread at a time; goes before the store.
  class exporter {
  public:
    virtual ~exporter() = default;
    /// The rows are those that entries up to here left behind.
    virtual const log_position& position() const = 0;
    /// Visits the rows behind `after`, in order, while `visit` returns true.
    /// Asked again it gives the same. The place before all rows is `place{}`.
    virtual result<void> read(const place& after, const row_visitor& visit) = 0;
  };
  virtual result<std::unique_ptr<exporter>>
  export_group(partition_id group) = 0;

  /// Replaces a group's tables by `import`ed rows and sets the applied index;
  /// after a crash either the old or the new tables are there, durably once
  /// `finish` has said so. Rows come in the order of an export, else
  /// `invalid_argument`. One thread at a time.
  class importer {
  public:
    virtual ~importer() = default;
    virtual result<void> add(table_id table, std::string_view key,
                             std::string_view value) = 0;
    virtual result<void> finish(const snapshot_meta& meta) = 0;
  };
  virtual std::unique_ptr<importer> import_group(partition_id group) = 0;

  /// The group's rows, its applied index and what it imported go, for those who
  /// look from now on; durably with the next `flush`. To be done again at the
  /// start for a group that the log store says is given up.
  virtual result<void> drop_group(partition_id group) = 0;
};

} // namespace muster::raft
