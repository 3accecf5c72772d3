#include "storage/rocksdb/state_store.hpp"

#include <rocksdb/snapshot.h>
#include <rocksdb/write_batch.h>

#include <optional>
#include <string>
#include <utility>

#include "storage/overlay.hpp"
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

/// Whether changing a row of this table begins with reading it.
bool is_read_before_write(table_id table) {
  return table == table_id::config;
}

/// The committed rows of one group, by the thread that changes them. No
/// snapshot: nobody else changes them meanwhile.
class committed_reader : public state_reader {
public:
  committed_reader(const database& db, row_cache& last, partition_id group)
    : db_(db), last_(last), group_(group) {}

  std::optional<std::string> get(table_id table,
                                 std::string_view key) const override {
    codec::state_key(key_, group_, table, key);
    const bool cached = is_read_before_write(table);
    if (cached)
      if (auto row = last_.find(key_))
        return row;
    std::string value;
    const auto status = db_.db().Get({}, db_.state(), key_, &value);
    if (status.IsNotFound())
      return std::nullopt;
    if (!status.ok())
      raise(status, "read the tables");
    if (cached)
      last_.put(key_, value);
    return value;
  }

  void scan(table_id table, std::string_view from,
            const visitor& visit) const override {
    snapshot_reader{db_, group_}.scan(table, from, visit);
  }

private:
  const database& db_;
  row_cache& last_;
  const partition_id group_;
  /// Kept for its memory.
  mutable std::string key_;
};

class rocksdb_batch : public overlay_batch {
public:
  rocksdb_batch(const database& db, row_cache& last) : db_(db), last_(last) {}

private:
  std::unique_ptr<state_reader> committed(partition_id group) override {
    return std::make_unique<committed_reader>(db_, last_, group);
  }

  /// In the order of keys, which the memory table likes.
  result<void> write(const all_changes& changed) override {
    rocksdb::WriteBatch writes;
    auto status = rocksdb::Status::OK();
    for (const auto& [group, changes] : changed)
      if (status.ok())
        status = add(writes, group, changes);
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    if (status.ok())
      status = db_.db().Write(options, &writes);
    if (!status.ok())
      return failed(status, "commit to the tables");
    for (const auto& [group, changes] : changed)
      remember(group, changes);
    return {};
  }

  rocksdb::Status add(rocksdb::WriteBatch& writes, partition_id group,
                      const group_changes& from) {
    auto status = rocksdb::Status::OK();
    for (const auto& [row, value] : from.rows.rows()) {
      codec::state_key(key_, group, row.first, row.second);
      status = value ? writes.Put(db_.state(), key_, *value)
                     : writes.Delete(db_.state(), key_);
      if (!status.ok())
        return status;
    }
    if (from.applied) {
      codec::state_key(key_, group, codec::applied_table, codec::applied_row);
      status = writes.Put(db_.state(), key_, codec::encode(*from.applied));
    }
    return status;
  }

  void remember(partition_id group, const group_changes& from) {
    for (const auto& [row, value] : from.rows.rows()) {
      if (!is_read_before_write(row.first))
        continue;
      codec::state_key(key_, group, row.first, row.second);
      if (value)
        last_.put(key_, *value);
      else
        last_.erase(key_);
    }
  }

  const database& db_;
  row_cache& last_;
  /// Kept for its memory.
  std::string key_;
};

result<raft::log_position> applied_at(const database& db,
                                      const rocksdb::ReadOptions& moment,
                                      partition_id group) {
  std::string key;
  std::string value;
  codec::state_key(key, group, codec::applied_table, codec::applied_row);
  const auto status = db.db().Get(moment, db.state(), key, &value);
  if (status.IsNotFound())
    return raft::log_position{};
  if (!status.ok())
    return failed(status, "read the applied position");
  return codec::decode_position(value);
}

/// Position and rows are read under one snapshot of the database.
class snapshot_exporter : public raft::state_store::exporter {
public:
  snapshot_exporter(const database& db, partition_id group)
      : db_(db), group_(group), snapshot_(&db.db()) {
    options_.snapshot = snapshot_.snapshot();
    options_.fill_cache = false;
  }

  result<void> open() {
    const auto at = applied_at(db_, options_, group_);
    if (!at)
      return std::unexpected(at.error());
    position_ = *at;
    return {};
  }

  const raft::log_position& position() const override { return position_; }

  result<void> read(const raft::state_store::place& after,
                    const raft::state_store::row_visitor& visit) override {
    const auto end_key = first_of_table(group_, codec::applied_table);
    const rocksdb::Slice end = end_key;
    auto options = options_;
    options.iterate_upper_bound = &end;
    const std::unique_ptr<rocksdb::Iterator> at{
        db_.db().NewIterator(options, db_.state())};
    std::string from;
    codec::state_key(from, group_, after.table, after.key);
    at->Seek(from);
    if (at->Valid() && view(at->key()) == from)
      at->Next();
    for (; at->Valid(); at->Next()) {
      const auto key = view(at->key());
      const auto table = table_id{
          static_cast<std::uint8_t>(key[codec::state_key_head - 1])};
      if (!visit(table, key.substr(codec::state_key_head), view(at->value())))
        return {};
    }
    if (!at->status().ok())
      return failed(at->status(), "export the tables");
    return {};
  }

private:
  const database& db_;
  const partition_id group_;
  rocksdb::ManagedSnapshot snapshot_;
  rocksdb::ReadOptions options_;
  raft::log_position position_;
};

} // namespace

result<raft::log_position> state_store::applied(partition_id group) {
  return applied_at(db_, {}, group);
}

result<raft::snapshot_meta> state_store::imported(partition_id group) {
  std::string key;
  std::string value;
  codec::state_key(key, group, codec::applied_table, codec::imported_row);
  const auto status = db_.db().Get({}, db_.state(), key, &value);
  if (status.IsNotFound())
    return raft::snapshot_meta{};
  if (!status.ok())
    return failed(status, "read the imported position");
  return codec::decode_snapshot(value);
}

std::unique_ptr<state_reader> state_store::reader(partition_id group) {
  return std::make_unique<snapshot_reader>(db_, group);
}

std::unique_ptr<raft::state_store::batch>
state_store::begin() {
  return std::make_unique<rocksdb_batch>(db_, last_);
}

result<void> state_store::flush() {
  const auto status = db_.db().Flush({}, db_.state());
  if (!status.ok())
    return failed(status, "flush the tables");
  return {};
}

result<std::unique_ptr<raft::state_store::exporter>>
state_store::export_group(partition_id group) {
  auto made = std::make_unique<snapshot_exporter>(db_, group);
  if (const auto opened = made->open(); !opened)
    return std::unexpected(opened.error());
  return made;
}

std::unique_ptr<raft::state_store::importer>
state_store::import_group(partition_id group) {
  return make_importer(db_, group, [this, group] { last_.clear(group); });
}

result<void> state_store::drop_group(partition_id group) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  // The positions are rows of the group, too.
  const auto status =
      db_.db().DeleteRange(options, db_.state(), codec::group_begin(group),
                           codec::group_end(group));
  if (!status.ok())
    return failed(status, "drop a group's tables");
  last_.clear(group);
  return {};
}

} // namespace muster::storage
