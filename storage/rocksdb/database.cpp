#include "storage/rocksdb/database.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "storage/rocksdb/wal_check.hpp"
#include "storage/rocksdb/wal_file_system.hpp"

namespace muster::storage {
namespace {

constexpr std::uint64_t mib = 1 << 20;

/// Options of the whole database.
rocksdb::DBOptions database_options(rocksdb::Env* environment) {
  rocksdb::DBOptions options;
  options.env = environment;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // One flush and one compaction at a time: two cores are shared with the
  // front-ends.
  options.max_background_jobs = 2;
  // Small pieces, so that a table file's sync does not stand before the log's.
  options.bytes_per_sync = mib;
  options.max_total_wal_size = 64 * mib;
  // wal_check has cut off what was never acknowledged; anything else that does
  // not parse is damage.
  options.wal_recovery_mode
    = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  // Bounds what open table files keep in memory.
  options.max_open_files = 256;
  options.max_file_opening_threads = 1;
  options.max_manifest_file_size = 4 * mib;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = mib;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions
family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 8 << 10;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  // Index and filter are charged to the cache: memory stays within its size.
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.level_compaction_dynamic_level_bytes = true;
  // Flushes come about once a second under full load; let compaction lag
  // behind for a while before writers are slowed down.
  options.level0_slowdown_writes_trigger = 30;
  options.level0_stop_writes_trigger = 50;
  return options;
}

/// Entries are written once, in order, read in order and soon deleted in
/// ranges: no filter, no compression.
rocksdb::ColumnFamilyOptions
log_options(const std::shared_ptr<rocksdb::Cache>& cache,
            std::size_t write_buffer) {
  auto options = family_options(cache);
  rocksdb::BlockBasedTableOptions table
    = *options.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
  table.filter_policy.reset();
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = write_buffer;
  options.max_write_buffer_number = 2;
  options.compression = rocksdb::kNoCompression;
  return options;
}

rocksdb::ColumnFamilyOptions
state_options(const std::shared_ptr<rocksdb::Cache>& cache,
              std::size_t write_buffer) {
  auto options = family_options(cache);
  options.write_buffer_size = write_buffer;
  options.max_write_buffer_number = 3;
  // A write that another node passed on asks first for rows that are not there.
  options.memtable_prefix_bloom_size_ratio = 0.01;
  options.memtable_whole_key_filtering = true;
  // What is rewritten often stays plain, what came to rest is compressed.
  options.compression_per_level
    = {rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  return options;
}

} // namespace

std::unexpected<error> failed(const rocksdb::Status& status,
                              std::string_view what) {
  auto code = errc::internal;
  if (status.IsCorruption())
    code = errc::data_loss;
  else if (status.IsNoSpace())
    code = errc::resource_exhausted;
  return fail(code, "cannot " + std::string(what) + ": " + status.ToString());
}

result<std::unique_ptr<database>>
database::open(const engine_options& options,
               const std::filesystem::path& directory) {
  std::unique_ptr<database> made{new database};
  if (options.environment)
    made->base_environment_ = options.environment();
  auto* base = made->base_environment_ ? made->base_environment_.get()
                                       : rocksdb::Env::Default();
  if (auto checked = check_wal_files(*base->GetFileSystem(), directory);
      !checked)
    return std::unexpected(checked.error());
  made->environment_ = rocksdb::NewCompositeEnv(
    std::make_shared<wal_file_system>(base->GetFileSystem()));

  rocksdb::LRUCacheOptions cache_options;
  cache_options.capacity = options.block_cache_bytes;
  cache_options.num_shard_bits = 2;
  const auto cache = rocksdb::NewLRUCache(cache_options);
  const auto write_buffer = options.write_buffer_bytes;
  const std::vector<rocksdb::ColumnFamilyDescriptor> families{
    {rocksdb::kDefaultColumnFamilyName, log_options(cache, write_buffer)},
    {"raft_log", log_options(cache, write_buffer)},
    {"raft_meta", log_options(cache, write_buffer)},
    {"state", state_options(cache, write_buffer)}};
  rocksdb::DB* db = nullptr;
  const auto status
    = rocksdb::DB::Open(database_options(made->environment_.get()),
                        directory.string(), families, &made->handles_, &db);
  if (!status.ok())
    return failed(status, "open " + directory.string());
  made->db_.reset(db);

  made->import_directory_ = directory / "import";
  std::error_code ec;
  std::filesystem::remove_all(made->import_directory_, ec);
  std::filesystem::create_directory(made->import_directory_, ec);
  if (ec)
    return fail(errc::internal, "cannot make "
                                  + made->import_directory_.string() + ": "
                                  + ec.message());
  return made;
}

database::~database() {
  for (auto* handle : handles_)
    db_->DestroyColumnFamilyHandle(handle);
  // Flushes `state`, which is in no write-ahead log.
  if (db_)
    db_->Close().PermitUncheckedError();
}

} // namespace muster::storage
