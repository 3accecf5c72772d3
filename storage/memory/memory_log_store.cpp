#include <algorithm>

#include "storage/log_rules.hpp"
#include "storage/memory/memory_store.hpp"

namespace muster::storage {
namespace {

std::size_t offset_of(const raft::snapshot_meta& snapshot, log_index index) {
  return static_cast<std::size_t>(index.value - snapshot.last.index.value - 1);
}

} // namespace

log_tail memory_log_store::tail_of(const group_log& log) {
  if (log.entries.empty())
    return {log.snapshot.last, log.snapshot.last, log.given_up};
  const auto& newest = log.entries.back();
  return {log.snapshot.last, {newest.term, newest.index}, log.given_up};
}

result<raft::stored_group> memory_log_store::load(partition_id group) {
  const std::lock_guard lock{mutex_};
  const auto& log = groups_[group];
  raft::stored_group found;
  found.state = log.state;
  found.snapshot = log.snapshot;
  found.last = log.snapshot.last.index;
  found.last_term = log.snapshot.last.term;
  found.floor = log.floor;
  found.given_up = log.given_up;
  for (const auto& e : log.entries)
    count_entry(found, e, *e.payload);
  return found;
}

result<void>
memory_log_store::append(std::span<const raft::append_batch> batches) {
  const std::lock_guard lock{mutex_};
  if (stopped_)
    return append_refused();
  if (std::exchange(fail_next_, false)) {
    stopped_ = true;
    return fail(errc::unknown, "append failed as the test asked for");
  }
  // Check all before anything changes: all or nothing.
  std::map<partition_id, log_tail> tails;
  for (const auto& b : batches) {
    const auto at = tails.try_emplace(b.group, tail_of(groups_[b.group])).first;
    const auto next = check_append(at->second, b);
    if (!next)
      return std::unexpected(next.error());
    at->second = *next;
  }
  for (const auto& b : batches) {
    auto& log = groups_[b.group];
    if (b.state)
      log.state = *b.state;
    if (b.entries.empty())
      continue;
    log.entries.resize(offset_of(log.snapshot, b.entries.front().index));
    for (const auto& e : b.entries) {
      log.entries.push_back(e);
      if (!e.payload)
        log.entries.back().payload = std::make_shared<const std::string>();
    }
  }
  ++appends_;
  return {};
}

result<std::vector<raft::entry>>
memory_log_store::read(partition_id group, log_index from, log_index to,
                       std::size_t bytes_max) {
  const std::lock_guard lock{mutex_};
  const auto& log = groups_[group];
  if (from <= log.snapshot.last.index)
    return compacted_away(group, from);
  std::vector<raft::entry> found;
  std::size_t bytes = 0;
  for (auto i = offset_of(log.snapshot, from);
       i < log.entries.size() && log.entries[i].index < to; ++i) {
    bytes += log.entries[i].payload->size();
    if (!found.empty() && bytes > bytes_max)
      break;
    found.push_back(log.entries[i]);
  }
  return found;
}

result<void> memory_log_store::compact(partition_id group,
                                       const raft::snapshot_meta& meta) {
  const std::lock_guard lock{mutex_};
  auto& log = groups_[group];
  if (log.given_up)
    return is_given_up(group);
  if (meta.last.index <= log.snapshot.last.index)
    return {};
  auto gone = std::min(log.entries.size(),
                       offset_of(log.snapshot, meta.last.index) + 1);
  if (gone > 0 && log.entries[gone - 1].index == meta.last.index
      && log.entries[gone - 1].term != meta.last.term)
    gone = log.entries.size();
  log.entries.erase(log.entries.begin(),
                    log.entries.begin() + static_cast<std::ptrdiff_t>(gone));
  log.snapshot = meta;
  return {};
}

result<void> memory_log_store::give_up(partition_id group,
                                       const raft::log_position& floor) {
  const std::lock_guard lock{mutex_};
  if (stopped_)
    return append_refused();
  auto& log = groups_[group];
  if (auto may = check_give_up(tail_of(log), group, floor); !may)
    return may;
  raft::stored_group old;
  old.state = log.state;
  old.floor = log.floor;
  const auto left = storage::given_up(old, floor);
  log = {left.state, {}, {}, left.floor, true};
  return {};
}

result<void> memory_log_store::begin_anew(partition_id group) {
  const std::lock_guard lock{mutex_};
  if (stopped_)
    return append_refused();
  groups_[group].given_up = false;
  return {};
}

void memory_log_store::fail_next_append() {
  const std::lock_guard lock{mutex_};
  fail_next_ = true;
}

std::uint64_t memory_log_store::appends() const {
  const std::lock_guard lock{mutex_};
  return appends_;
}

} // namespace muster::storage
