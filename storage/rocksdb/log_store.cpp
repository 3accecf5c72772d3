#include "storage/rocksdb/log_store.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "storage/rocksdb/codec.hpp"

namespace muster::storage {
namespace {

rocksdb::WriteOptions synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

std::unexpected<error> damaged(partition_id group, log_index index,
                               const std::string& why) {
  return fail(errc::data_loss, "log of group " + std::to_string(group.value)
                                 + " at index " + std::to_string(index.value)
                                 + ": " + why);
}

/// About what a write batch for these takes, so that it grows once.
std::size_t bytes_of(std::span<const raft::append_batch> batches) {
  constexpr std::size_t per_entry = 48;
  std::size_t bytes = 64;
  for (const auto& b : batches) {
    bytes += per_entry;
    for (const auto& e : b.entries)
      bytes += per_entry + (e.payload ? e.payload->size() : 0);
  }
  return bytes;
}

/// Walks entries in order and refuses gaps, falling terms and bad bytes.
class entry_walk {
public:
  entry_walk(partition_id group, raft::log_position previous)
    : group_(group), previous_(previous) {}

  /// Checks the entry the iterator stands on; `payload` views into it.
  result<raft::entry> check(const rocksdb::Iterator& at,
                            std::string_view& payload) {
    const auto expected = previous_.index.next();
    const auto index = codec::decode_log_key(view(at.key()));
    if (!index)
      return damaged(group_, expected, index.error().message);
    if (*index != expected)
      return damaged(group_, expected,
                     "missing, the next stored entry is "
                       + std::to_string(index->value));
    auto entry = codec::decode_entry(*index, view(at.value()), payload);
    if (!entry)
      return damaged(group_, expected, entry.error().message);
    if (entry->term < previous_.term)
      return damaged(group_, expected, "its term is lower than the one before");
    previous_ = {entry->term, entry->index};
    return entry;
  }

  const raft::log_position& last() const { return previous_; }

private:
  partition_id group_;
  raft::log_position previous_;
};

/// A value of raft_meta, or nullopt.
result<std::optional<std::string>> get_meta(const database& db,
                                            partition_id group,
                                            codec::meta_part part) {
  std::string value;
  const auto status = db.db().Get({}, db.raft_meta(),
                                  codec::meta_key(group, part), &value);
  if (status.IsNotFound())
    return std::nullopt;
  if (!status.ok())
    return failed(status, "read raft_meta");
  return value;
}

} // namespace

std::unique_ptr<rocksdb::Iterator>
log_store::iterate(const rocksdb::Slice* end) const {
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = end;
  // A log is read once, in order; it must not push the tables' blocks out.
  options.fill_cache = false;
  return std::unique_ptr<rocksdb::Iterator>(
    db_.db().NewIterator(options, db_.raft_log()));
}

result<raft::stored_group> log_store::load(partition_id group) {
  const std::lock_guard lock{mutex_};
  return load_locked(group);
}

result<raft::stored_group> log_store::load_meta(partition_id group) const {
  raft::stored_group found;
  const auto state = get_meta(db_, group, codec::meta_part::hard_state);
  if (!state)
    return std::unexpected(state.error());
  if (*state) {
    const auto decoded = codec::decode_hard_state(**state);
    if (!decoded)
      return std::unexpected(decoded.error());
    found.state = *decoded;
  }
  const auto snapshot = get_meta(db_, group, codec::meta_part::snapshot);
  if (!snapshot)
    return std::unexpected(snapshot.error());
  if (*snapshot) {
    auto decoded = codec::decode_snapshot(**snapshot);
    if (!decoded)
      return std::unexpected(decoded.error());
    found.snapshot = std::move(*decoded);
  }
  const auto floor = get_meta(db_, group, codec::meta_part::floor);
  if (!floor)
    return std::unexpected(floor.error());
  if (*floor) {
    const auto decoded = codec::decode_floor(**floor);
    if (!decoded)
      return std::unexpected(decoded.error());
    found.floor = decoded->position;
    found.given_up = decoded->given_up;
  }
  return found;
}

result<raft::stored_group> log_store::load_locked(partition_id group) {
  auto loaded = load_meta(group);
  if (!loaded)
    return loaded;
  auto& found = *loaded;
  found.last = found.snapshot.last.index;
  found.last_term = found.snapshot.last.term;
  const auto end_key = codec::group_end(group);
  const rocksdb::Slice end = end_key;
  const auto at = iterate(&end);
  entry_walk walk{group, found.snapshot.last};
  std::string_view payload;
  for (at->Seek(codec::group_begin(group)); at->Valid(); at->Next()) {
    const auto entry = walk.check(*at, payload);
    if (!entry)
      return std::unexpected(entry.error());
    count_entry(found, *entry, payload);
  }
  if (!at->status().ok())
    return failed(at->status(), "load the log");
  tails_[group] = {found.snapshot.last, walk.last(), found.given_up};
  return loaded;
}

result<log_tail> log_store::tail_locked(partition_id group) {
  if (const auto at = tails_.find(group); at != tails_.end())
    return at->second;
  if (const auto loaded = load_locked(group); !loaded)
    return std::unexpected(loaded.error());
  return tails_.at(group);
}

result<bool> log_store::add_to(rocksdb::WriteBatch& out,
                               const raft::append_batch& batch,
                               log_tail& tail) {
  const auto next = check_append(tail, batch);
  if (!next)
    return std::unexpected(next.error());
  if (batch.state)
    out.Put(db_.raft_meta(),
            codec::meta_key(batch.group, codec::meta_part::hard_state),
            codec::encode(*batch.state));
  if (batch.entries.empty())
    return false;
  const bool replaces = batch.entries.front().index <= tail.last.index;
  // What the new entries do not write over: point deletes, they are few.
  for (auto i = next->last.index.next(); i <= tail.last.index; i = i.next())
    out.Delete(db_.raft_log(), codec::log_key(batch.group, i));
  std::string key;
  std::string head;
  for (const auto& e : batch.entries) {
    codec::log_key(key, batch.group, e.index);
    codec::encode_entry_head(head, e);
    const std::array<rocksdb::Slice, 1> keys{key};
    const std::array<rocksdb::Slice, 2> values{
      head, e.payload ? slice(*e.payload) : rocksdb::Slice{}};
    out.Put(db_.raft_log(), {keys.data(), 1}, {values.data(), 2});
  }
  tail = *next;
  return replaces;
}

result<void> log_store::append(std::span<const raft::append_batch> batches) {
  const std::lock_guard one_at_a_time{writing_};
  std::unique_lock lock{mutex_};
  if (stopped_)
    return append_refused();
  rocksdb::WriteBatch out{bytes_of(batches)};
  tails changed;
  bool replaces = false;
  for (const auto& b : batches) {
    auto at = changed.find(b.group);
    if (at == changed.end()) {
      const auto tail = tail_locked(b.group);
      if (!tail)
        return std::unexpected(tail.error());
      at = changed.emplace(b.group, *tail).first;
    }
    const auto added = add_to(out, b, at->second);
    if (!added)
      return std::unexpected(added.error());
    replaces = replaces || *added;
  }
  if (!replaces)
    lock.unlock();
  const auto status = db_.db().Write(synced(), &out);
  if (!replaces)
    lock.lock();
  if (!status.ok()) {
    stopped_ = true;
    return fail(errc::unknown, failed(status, "append to the log")
                                 .error().message);
  }
  // Only the end: a compaction may have moved the beginning meanwhile.
  for (const auto& [group, tail] : changed) {
    auto& now = tails_[group];
    if (tail.last.index > now.snapshot.index)
      now.last = tail.last;
  }
  return {};
}

result<std::vector<raft::entry>> log_store::read(partition_id group,
                                                 log_index from, log_index to,
                                                 std::size_t bytes_max) {
  std::unique_lock lock{mutex_};
  const auto tail = tail_locked(group);
  if (!tail)
    return std::unexpected(tail.error());
  if (from <= tail->snapshot.index)
    return compacted_away(group, from);
  const auto end_index = std::min(to, tail->last.index.next());
  std::vector<raft::entry> found;
  if (from >= end_index)
    return found;
  const auto end_key = codec::log_key(group, end_index);
  const rocksdb::Slice end = end_key;
  // The iterator's moment is the tail's: both are taken under the lock.
  const auto at = iterate(&end);
  lock.unlock();

  entry_walk walk{group, {{}, log_index{from.value - 1}}};
  std::size_t bytes = 0;
  std::string_view payload;
  for (at->Seek(codec::log_key(group, from)); at->Valid(); at->Next()) {
    auto entry = walk.check(*at, payload);
    if (!entry)
      return std::unexpected(entry.error());
    bytes += payload.size();
    if (!found.empty() && bytes > bytes_max)
      return found;
    entry->payload = std::make_shared<const std::string>(payload);
    found.push_back(std::move(*entry));
  }
  if (!at->status().ok())
    return failed(at->status(), "read the log");
  if (walk.last().index.next() != end_index)
    return damaged(group, walk.last().index.next(), "missing");
  return found;
}

result<term_id> log_store::term_at_locked(partition_id group,
                                          log_index index) {
  std::string value;
  std::string_view payload;
  const auto status = db_.db().Get({}, db_.raft_log(),
                                   codec::log_key(group, index), &value);
  if (!status.ok())
    return failed(status, "read the log");
  const auto entry = codec::decode_entry(index, value, payload);
  if (!entry)
    return damaged(group, index, entry.error().message);
  return entry->term;
}

result<void> log_store::compact(partition_id group,
                                const raft::snapshot_meta& meta) {
  const std::lock_guard one_at_a_time{writing_};
  const std::lock_guard lock{mutex_};
  if (stopped_)
    return append_refused();
  const auto tail = tail_locked(group);
  if (!tail)
    return std::unexpected(tail.error());
  if (tail->given_up)
    return is_given_up(group);
  if (meta.last.index <= tail->snapshot.index)
    return {};
  auto last = tail->last;
  auto end = codec::log_key(group, meta.last.index.next());
  if (last.index <= meta.last.index) {
    last = meta.last;
  } else {
    const auto term = term_at_locked(group, meta.last.index);
    if (!term)
      return std::unexpected(term.error());
    // Another history: what follows it is not ours either (paper figure 13).
    if (*term != meta.last.term) {
      last = meta.last;
      end = codec::group_end(group);
    }
  }
  rocksdb::WriteBatch out;
  out.DeleteRange(db_.raft_log(),
                  codec::log_key(group, tail->snapshot.index.next()), end);
  out.Put(db_.raft_meta(), codec::meta_key(group, codec::meta_part::snapshot),
          codec::encode(meta));
  if (auto done = write_locked(out, "compact the log"); !done)
    return done;
  tails_[group] = {meta.last, last};
  return {};
}

result<void> log_store::write_locked(rocksdb::WriteBatch& what,
                                     const char* purpose) {
  const auto status = db_.db().Write(synced(), &what);
  if (status.ok())
    return {};
  stopped_ = true;
  return failed(status, purpose);
}

result<void> log_store::give_up(partition_id group,
                                const raft::log_position& floor) {
  const std::lock_guard one_at_a_time{writing_};
  const std::lock_guard lock{mutex_};
  if (stopped_)
    return append_refused();
  const auto tail = tail_locked(group);
  if (!tail)
    return std::unexpected(tail.error());
  if (auto may = check_give_up(*tail, group, floor); !may)
    return may;
  const auto old = load_meta(group);
  if (!old)
    return std::unexpected(old.error());
  const auto left = storage::given_up(*old, floor);
  rocksdb::WriteBatch out;
  const auto key = [group](codec::meta_part part) {
    return codec::meta_key(group, part);
  };
  out.DeleteRange(db_.raft_log(), codec::group_begin(group),
                  codec::group_end(group));
  out.Delete(db_.raft_meta(), key(codec::meta_part::snapshot));
  out.Put(db_.raft_meta(), key(codec::meta_part::hard_state),
          codec::encode(left.state));
  out.Put(db_.raft_meta(), key(codec::meta_part::floor),
          codec::encode(codec::stored_floor{left.floor, true}));
  if (auto done = write_locked(out, "give a log up"); !done)
    return done;
  tails_[group] = {{}, {}, true};
  return {};
}

result<void> log_store::begin_anew(partition_id group) {
  const std::lock_guard one_at_a_time{writing_};
  const std::lock_guard lock{mutex_};
  if (stopped_)
    return append_refused();
  const auto old = load_meta(group);
  if (!old)
    return std::unexpected(old.error());
  if (!old->given_up)
    return {};
  rocksdb::WriteBatch out;
  out.Put(db_.raft_meta(), codec::meta_key(group, codec::meta_part::floor),
          codec::encode(codec::stored_floor{old->floor, false}));
  if (auto done = write_locked(out, "begin a log anew"); !done)
    return done;
  tails_[group] = {};
  return {};
}

} // namespace muster::storage
