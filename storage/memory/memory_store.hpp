#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "actors/core/raft/ports.hpp"
#include "storage/log_rules.hpp"

/// In-memory twins of the stores, for unit tests and simulation. Same contract
/// as the RocksDB ones (tests/contract runs both), except that a crash is the
/// end of the object.
namespace muster::storage {

/// Logs of all groups in vectors. Any thread; one mutex.
class memory_log_store : public raft::log_store {
public:
  result<raft::stored_group> load(partition_id group) override;
  result<void> append(std::span<const raft::append_batch> batches) override;
  result<std::vector<raft::entry>> read(partition_id group, log_index from,
                                        log_index to,
                                        std::size_t bytes_max) override;
  result<void> compact(partition_id group,
                       const raft::snapshot_meta& meta) override;
  result<void> give_up(partition_id group,
                       const raft::log_position& floor) override;
  result<void> begin_anew(partition_id group) override;

  /// The next append fails as a failed sync does; later ones are refused.
  void fail_next_append();
  /// How many appends were acknowledged, that is: how many syncs.
  std::uint64_t appends() const;

private:
  struct group_log {
    raft::hard_state state;
    raft::snapshot_meta snapshot;
    /// entries[i].index == snapshot.last.index + 1 + i
    std::vector<raft::entry> entries;
    raft::log_position floor;
    bool given_up = false;
  };

  static log_tail tail_of(const group_log& log);

  mutable std::mutex mutex_;
  std::map<partition_id, group_log> groups_;
  std::uint64_t appends_ = 0;
  bool fail_next_ = false;
  bool stopped_ = false;
};

/// Tables of all groups in ordered maps. Any thread; one mutex, held for no
/// longer than a look-up or a commit. A reader keeps the version it began with.
class memory_state_store : public raft::state_store {
public:
  memory_state_store();
  ~memory_state_store() override;

  result<raft::log_position> applied(partition_id group) override;
  std::unique_ptr<state_reader> reader(partition_id group) override;
  std::unique_ptr<batch> begin() override;
  result<void> flush() override;
  result<raft::snapshot_meta> imported(partition_id group) override;
  result<std::unique_ptr<exporter>> export_group(partition_id group) override;
  std::unique_ptr<importer> import_group(partition_id group) override;
  result<void> drop_group(partition_id group) override;

private:
  struct shared;
  std::shared_ptr<shared> shared_;
};

} // namespace muster::storage
