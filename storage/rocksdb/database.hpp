#pragma once

#include <rocksdb/db.h>

#include <memory>
#include <string_view>

#include "storage/rocksdb/engine.hpp"

/// Inside of the folder: RocksDB with our options. Not for other folders.
namespace muster::storage {

/// What RocksDB said, in our words; `what` names the work that failed.
std::unexpected<error> failed(const rocksdb::Status& status,
                              std::string_view what);

inline rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view view(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}

/// The open database. Owns the environment, the cache and the handles; the
/// stores borrow it and go first.
class database {
public:
  static result<std::unique_ptr<database>>
  open(const engine_options& options, const std::filesystem::path& directory);
  ~database();
  database(const database&) = delete;
  database& operator=(const database&) = delete;

  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* raft_log() const { return handles_[1]; }
  rocksdb::ColumnFamilyHandle* raft_meta() const { return handles_[2]; }
  rocksdb::ColumnFamilyHandle* state() const { return handles_[3]; }
  /// Where files wait that are to be taken into the database.
  std::filesystem::path import_directory() const { return import_directory_; }

private:
  database() = default;

  std::shared_ptr<rocksdb::Env> base_environment_;
  std::unique_ptr<rocksdb::Env> environment_;
  std::filesystem::path import_directory_;
  /// default (unused), raft_log, raft_meta, state.
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::unique_ptr<rocksdb::DB> db_;
};

} // namespace muster::storage
