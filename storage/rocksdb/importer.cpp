#include <rocksdb/env.h>
#include <rocksdb/sst_file_writer.h>

#include <atomic>
#include <functional>
#include <string>
#include <utility>

#include "storage/rocksdb/codec.hpp"
#include "storage/rocksdb/state_store.hpp"

namespace muster::storage {
namespace {

constexpr std::string_view what = "import tables";

class file_importer : public raft::state_store::importer {
public:
  file_importer(const database& db, partition_id group,
                std::function<void()> taken_in)
    : db_(db), group_(group), taken_in_(std::move(taken_in)),
      writer_(rocksdb::EnvOptions{}, db.db().GetOptions(db.state()),
              db.state()) {
    static std::atomic<std::uint64_t> number{0};
    path_ = (db.import_directory() / (std::to_string(++number) + ".sst"))
              .string();
  }

  ~file_importer() override {
    // Ingestion links or copies the file; this name is not needed any more.
    if (opened_)
      db_.db().GetEnv()->DeleteFile(path_).PermitUncheckedError();
  }

  result<void> add(table_id table, std::string_view key,
                   std::string_view value) override {
    if (auto ready = begin(); !ready)
      return ready;
    previous_.swap(key_);
    codec::state_key(key_, group_, table, key);
    if (key_ <= previous_)
      return fail(errc::invalid_argument, "imported rows are not in key order");
    return checked(writer_.Put(key_, slice(value)));
  }

  result<void> finish(const raft::snapshot_meta& meta) override {
    if (auto ready = begin(); !ready)
      return ready;
    codec::state_key(key_, group_, codec::applied_table, codec::applied_row);
    auto status = writer_.Put(key_, codec::encode(meta.last));
    codec::state_key(key_, group_, codec::applied_table, codec::imported_row);
    if (status.ok())
      status = writer_.Put(key_, codec::encode(meta));
    if (status.ok())
      status = writer_.Finish();
    if (!status.ok())
      return failed(status, what);
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    options.failed_move_fall_back_to_copy = true;
    options.write_global_seqno = false;
    auto done = checked(
      db_.db().IngestExternalFile(db_.state(), {path_}, options));
    if (done)
      taken_in_();
    return done;
  }

private:
  static result<void> checked(const rocksdb::Status& status) {
    if (!status.ok())
      return failed(status, what);
    return {};
  }

  /// Opens the file and deletes, as its first word, all the group has. The
  /// file's own rows are as new as this deletion and stay.
  result<void> begin() {
    if (opened_)
      return {};
    opened_ = true;
    auto status = writer_.Open(path_);
    if (status.ok())
      status = writer_.DeleteRange(codec::group_begin(group_),
                                   codec::group_end(group_));
    return checked(status);
  }

  const database& db_;
  partition_id group_;
  std::function<void()> taken_in_;
  rocksdb::SstFileWriter writer_;
  std::string path_;
  bool opened_ = false;
  std::string key_;
  std::string previous_;
};

} // namespace

std::unique_ptr<raft::state_store::importer>
make_importer(const database& db, partition_id group,
              std::function<void()> taken_in) {
  return std::make_unique<file_importer>(db, group, std::move(taken_in));
}

} // namespace muster::storage
