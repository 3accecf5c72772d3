#pragma once

#include <functional>
#include <memory>

#include "actors/core/raft/ports.hpp"
#include "storage/rocksdb/database.hpp"
#include "storage/rocksdb/row_cache.hpp"

namespace muster::storage {

/// The tables of all groups in the column family `state`. Contract and threads:
/// ports.hpp. Borrows the database.
///
/// Nothing here passes the write-ahead log. A memory table is written to a file
/// as a whole and holds batches as a whole, so what a crash leaves is always
/// the effects of a batch with its applied position, or neither.
class state_store : public raft::state_store {
public:
  explicit state_store(const database& db)
    : db_(db), last_(cached_bytes_max) {}

  result<raft::log_position> applied(partition_id group) override;
  std::unique_ptr<state_reader> reader(partition_id group) override;
  std::unique_ptr<batch> begin() override;
  result<void> flush() override;
  result<raft::snapshot_meta> imported(partition_id group) override;
  result<std::unique_ptr<exporter>> export_group(partition_id group) override;
  std::unique_ptr<importer> import_group(partition_id group) override;
  result<void> drop_group(partition_id group) override;

private:
  /// Room for the records of some ten thousand configs.
  static constexpr std::size_t cached_bytes_max = std::size_t{16} << 20;

  const database& db_;
  row_cache last_;
};

/// Collects rows in a table file that begins with the deletion of all the group
/// has, and takes it into the database in one step (RocksDB's file ingestion,
/// which is atomic and durable). The files' directory is emptied when the engine opens,
/// so an interrupted import leaves nothing. `taken_in` is called when the rows
/// have changed.
std::unique_ptr<raft::state_store::importer>
make_importer(const database& db, partition_id group,
              std::function<void()> taken_in);

} // namespace muster::storage
