#include "storage/rocksdb/state_store.hpp"

#include <rocksdb/snapshot.h>
#include <rocksdb/utilities/write_batch_with_index.h>

#include <string>

#include "storage/rocksdb/codec.hpp"

namespace muster::storage {
namespace {

[[noreturn]] void raise(const rocksdb::Status& status, std::string_view what) {
  throw state_error{failed(status, what).error()};
}

std::string first_of_table(partition_id group, table_id table) {
  std::string key;
  codec::state_key(key, group, table, {});
  return key;
}

table_id next_table(table_id table) {
  return table_id{static_cast<std::uint8_t>(
    static_cast<std::uint8_t>(table) + 1)};
}

/// Rows of one group as of the reader's making.
class snapshot_reader : public state_reader {
public:
  snapshot_reader(const database& db, partition_id group)
    : db_(db), group_(group), snapshot_(&db.db()) {
    options_.snapshot = snapshot_.snapshot();
  }

  std::optional<std::string> get(table_id table,
                                 std::string_view key) const override {
    codec::state_key(key_, group_, table, key);
    std::string value;
    const auto status = db_.db().Get(options_, db_.state(), key_, &value);
    if (status.IsNotFound())
      return std::nullopt;
    if (!status.ok())
      raise(status, "read the tables");
    return value;
  }

  void scan(table_id table, std::string_view from,
            const visitor& visit) const override {
    const auto end_key = first_of_table(group_, next_table(table));
    const rocksdb::Slice end = end_key;
    auto options = options_;
    options.iterate_upper_bound = &end;
    const std::unique_ptr<rocksdb::Iterator> at{
      db_.db().NewIterator(options, db_.state())};
    codec::state_key(key_, group_, table, from);
    for (at->Seek(key_); at->Valid(); at->Next()) {
      if (!visit(view(at->key()).substr(codec::state_key_head),
                 view(at->value())))
        return;
    }
    if (!at->status().ok())
      raise(at->status(), "scan the tables");
  }

private:
  const database& db_;
  partition_id group_;
  rocksdb::ManagedSnapshot snapshot_;
  rocksdb::ReadOptions options_;
  /// Kept for its memory.
  mutable std::string key_;
};

/// An indexed write batch over the current tables. No snapshot: the group has
/// one thread, nobody else changes its rows meanwhile.
class indexed_batch : public raft::state_store::batch {
public:
  indexed_batch(const database& db, partition_id group)
    : db_(db), group_(group),
      writes_(rocksdb::BytewiseComparator(), 0, true) {}

  std::optional<std::string> get(table_id table,
                                 std::string_view key) const override {
    codec::state_key(key_, group_, table, key);
    std::string value;
    const auto status
      = writes_.GetFromBatchAndDB(&db_.db(), {}, db_.state(), key_, &value);
    if (status.IsNotFound())
      return std::nullopt;
    if (!status.ok())
      raise(status, "read the tables");
    return value;
  }

  void scan(table_id table, std::string_view from,
            const visitor& visit) const override {
    const auto end_key = first_of_table(group_, next_table(table));
    const rocksdb::Slice end = end_key;
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &end;
    const std::unique_ptr<rocksdb::Iterator> at{writes_.NewIteratorWithBase(
      db_.state(), db_.db().NewIterator(options, db_.state()), &options)};
    codec::state_key(key_, group_, table, from);
    // Copies, because `visit` may write to this batch and so move its memory.
    std::string key;
    std::string value;
    for (at->Seek(key_); at->Valid() && at->key().compare(end) < 0;
         at->Next()) {
      key = view(at->key()).substr(codec::state_key_head);
      value = view(at->value());
      if (!visit(key, value))
        return;
    }
    if (!at->status().ok())
      raise(at->status(), "scan the tables");
  }

  void put(table_id table, std::string_view key,
           std::string_view value) override {
    codec::state_key(key_, group_, table, key);
    check(writes_.Put(db_.state(), key_, slice(value)));
  }

  void erase(table_id table, std::string_view key) override {
    codec::state_key(key_, group_, table, key);
    check(writes_.Delete(db_.state(), key_));
  }

  result<void> commit(raft::log_position applied) override {
    codec::state_key(key_, group_, codec::applied_table, {});
    auto status = writes_.Put(db_.state(), key_, codec::encode(applied));
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    if (status.ok())
      status = db_.db().Write(options, writes_.GetWriteBatch());
    if (!status.ok())
      return failed(status, "commit to the tables");
    writes_.Clear();
    return {};
  }

private:
  static void check(const rocksdb::Status& status) {
    if (!status.ok())
      raise(status, "change the tables");
  }

  const database& db_;
  partition_id group_;
  /// `Get…` and iterators of the index are not const, but change nothing.
  mutable rocksdb::WriteBatchWithIndex writes_;
  mutable std::string key_;
};

} // namespace

result<raft::log_position> state_store::applied(partition_id group) {
  std::string value;
  const auto status
    = db_.db().Get({}, db_.state(),
                   first_of_table(group, codec::applied_table), &value);
  if (status.IsNotFound())
    return raft::log_position{};
  if (!status.ok())
    return failed(status, "read the applied position");
  return codec::decode_position(value);
}

std::unique_ptr<state_reader> state_store::reader(partition_id group) {
  return std::make_unique<snapshot_reader>(db_, group);
}

std::unique_ptr<raft::state_store::batch>
state_store::begin(partition_id group) {
  return std::make_unique<indexed_batch>(db_, group);
}

result<void> state_store::flush() {
  const auto status = db_.db().Flush({}, db_.state());
  if (!status.ok())
    return failed(status, "flush the tables");
  return {};
}

result<void> state_store::export_group(partition_id group,
                                       const chunk_visitor& visit) {
  // The iterator holds on to the moment it was made.
  const auto end_key = first_of_table(group, codec::applied_table);
  const rocksdb::Slice end = end_key;
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> at{
    db_.db().NewIterator(options, db_.state())};
  for (at->Seek(first_of_table(group, table_id{0})); at->Valid(); at->Next()) {
    const auto key = view(at->key());
    const auto table
      = table_id{static_cast<std::uint8_t>(key[codec::state_key_head - 1])};
    if (!visit(table, key.substr(codec::state_key_head), view(at->value())))
      return {};
  }
  if (!at->status().ok())
    return failed(at->status(), "export the tables");
  return {};
}

std::unique_ptr<raft::state_store::importer>
state_store::import_group(partition_id group) {
  return make_importer(db_, group);
}

} // namespace muster::storage
