#include "storage/rocksdb/row_cache.hpp"

#include "storage/rocksdb/codec.hpp"

namespace muster::storage {

namespace {

/// About what a row needs beside its bytes: node, two strings, bucket.
constexpr std::size_t row_overhead = 112;

std::size_t size_of(std::string_view key, std::string_view value) {
  return key.size() + value.size() + row_overhead;
}

} // namespace

std::optional<std::string> row_cache::find(std::string_view key) {
  auto& s = of(key);
  const std::lock_guard lock(s.mutex);
  const auto row = s.rows.find(key);
  if (row == s.rows.end())
    return std::nullopt;
  return row->second;
}

void row_cache::put(std::string_view key, std::string_view value) {
  const auto room = bytes_max_ / shards_.size();
  const auto size = size_of(key, value);
  auto& s = of(key);
  const std::lock_guard lock(s.mutex);
  if (const auto old = s.rows.find(key); old != s.rows.end()) {
    s.bytes -= old->second.size();
    s.bytes += value.size();
    old->second = value;
  } else if (size <= room) {
    s.rows.emplace(key, value);
    s.bytes += size;
  }
  while (s.bytes > room)
    forget(s, s.rows.begin());
}

void row_cache::erase(std::string_view key) {
  auto& s = of(key);
  const std::lock_guard lock(s.mutex);
  if (const auto row = s.rows.find(key); row != s.rows.end())
    forget(s, row);
}

void row_cache::clear(partition_id group) {
  const auto head = codec::group_begin(group);
  for (auto& s : shards_) {
    const std::lock_guard lock(s.mutex);
    for (auto row = s.rows.begin(); row != s.rows.end();) {
      const auto here = row++;
      if (here->first.starts_with(head))
        forget(s, here);
    }
  }
}

void row_cache::forget(shard& s, decltype(shard::rows)::iterator row) {
  s.bytes -= size_of(row->first, row->second);
  s.rows.erase(row);
}

} // namespace muster::storage
