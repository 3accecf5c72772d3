#pragma once

#include <mutex>
#include <unordered_map>

#include "actors/core/raft/ports.hpp"
#include "storage/log_rules.hpp"
#include "storage/rocksdb/database.hpp"

namespace muster::storage {

/// The logs of all groups in raft_log and raft_meta. Contract and threads:
/// ports.hpp. Borrows the database.
///
/// Every write to these column families is synced, compactions too: at most one
/// record of the write-ahead log is ever not durable, which is what lets
/// wal_check.hpp tell a torn tail from damage.
class log_store : public raft::log_store {
public:
  explicit log_store(const database& db) : db_(db) {}

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

private:
  using tails = std::unordered_map<partition_id, log_tail>;

  result<raft::stored_group> load_locked(partition_id group);
  /// The group's part of raft_meta.
  result<raft::stored_group> load_meta(partition_id group) const;
  /// Writes durably; after a failure nothing more is written.
  result<void> write_locked(rocksdb::WriteBatch& what, const char* purpose);
  /// The group's tail; read from disk at the first use.
  result<log_tail> tail_locked(partition_id group);
  /// Puts one batch into `out` and brings `tail` forward.
  /// Gives whether stored entries are replaced.
  result<bool> add_to(rocksdb::WriteBatch& out, const raft::append_batch& batch,
                      log_tail& tail);
  result<term_id> term_at_locked(partition_id group, log_index index);
  std::unique_ptr<rocksdb::Iterator> iterate(const rocksdb::Slice* end) const;

  const database& db_;
  /// Held by who writes, before `mutex_`: after a write that failed, none may
  /// have been begun already. RocksDB does not take that well.
  std::mutex writing_;
  /// Guards what follows. Held during a write only if that write takes entries
  /// away, so that a reader never sees a tail that is no longer on disk.
  std::mutex mutex_;
  tails tails_;
  bool stopped_ = false;
};

} // namespace muster::storage
