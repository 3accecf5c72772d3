#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "actors/core/raft/ports.hpp"
#include "storage/rocksdb/data_dir.hpp"

namespace rocksdb {
class Env;
} // namespace rocksdb

/// The node's database.
namespace muster::storage {

/// Makes the environment (file system, threads) RocksDB works on. Tests hand in
/// one with faults (`storage/fault`); empty = the machine's own.
using environment_factory = std::function<std::shared_ptr<rocksdb::Env>()>;

struct engine_options {
  /// Directory and whose it has to be.
  data_dir_options data;
  /// Cache for blocks of table files, bytes.
  std::size_t block_cache_bytes = std::size_t{32} << 20;
  /// Memory of one write buffer, bytes; up to three of `state` and two of
  /// `raft_log` exist under load, none of them when idle.
  std::size_t write_buffer_bytes = std::size_t{32} << 20;
  environment_factory environment;
};

/// Two RocksDB databases per node, one for the log and one for the tables, so
/// that a change of the tables never waits for the log's sync. Column families:
///
///   raft_log   partition(8) index(8)      -> format, kind, term(8), payload
///   raft_meta  partition(8) part(1)       -> hard_state | snapshot_meta | floor
///   state      partition(8) table(1) key  -> value; table 255 = applied position
///
/// Numbers are big endian, so keys sort by partition, then position.
///
/// Owned by the node's main, which outlives everything that uses the stores.
/// Threads: see the ports; `engine` itself has no state of its own to race on.
/// Crash: raft_log and raft_meta go through the write-ahead log with one sync
/// per `append`; `state` does not, it falls back to the last flush as a whole
/// (effects and applied position together) and the log brings it forward.
/// Errors: what RocksDB reports is mapped to `errc` (corruption = `data_loss`,
/// no space = `resource_exhausted`, I/O = `internal`).
class engine {
public:
  /// Opens or makes the database. Errors: those of `data_dir::open`, and
  /// `data_loss` if the files do not fit together.
  static result<std::unique_ptr<engine>> open(const engine_options& options);

  /// Flushes what is not in files yet and closes. Idle afterwards.
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  raft::log_store& logs() noexcept;
  raft::state_store& tables() noexcept;
  const identity& owner() const noexcept;
  /// Its lock is held as long as the engine lives.
  const data_dir& directory() const noexcept;

private:
  struct parts;
  explicit engine(std::unique_ptr<parts> p);
  std::unique_ptr<parts> parts_;
};

} // namespace muster::storage
