#pragma once

#include <rocksdb/file_system.h>

#include <filesystem>

#include "actors/core/base/result.hpp"

namespace muster::storage {

/// Looks through the write-ahead logs of a closed database for damage to what
/// was synced, and cuts off a torn end. `data_loss` names file and offset and
/// leaves the files as they are.
///
/// RocksDB either refuses every bad record, also the torn end that a power loss
/// may leave, or replays up to the first one and drops what follows, which is a
/// silent loss of acknowledged entries for a flipped bit in the middle. The two
/// differ in what stands behind: each of our writes is one record and is synced before the
/// next one begins (log_store.hpp), so behind a record that was never
/// acknowledged there is no other one. Any whole record behind a bad one is
/// therefore proof of damage.
///
/// What it cannot see: damage to the very last record, and a missing last file.
///
/// Record format: https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format
result<void> check_wal_files(rocksdb::FileSystem& files,
                             const std::filesystem::path& directory);

} // namespace muster::storage
