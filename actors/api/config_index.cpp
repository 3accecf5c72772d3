#include "actors/api/config_index.hpp"

#include <list>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

namespace muster::api {

namespace {

/// What an entry costs beside the texts: map node, shared_ptr block, object.
constexpr std::size_t entry_overhead_bytes = 320;

std::size_t cost(const config_key& key, const config_snapshot_ptr& s) {
  std::size_t n = entry_overhead_bytes + 2 * key.data_id.size();
  if (!s)
    return n;
  if (s->formal)
    n += s->formal->content.size() + sizeof(config_version);
  for (const auto& gray : s->grays)
    n += gray->body.content.size() + sizeof(gray_version);
  return n;
}

struct entry {
  config_snapshot_ptr snapshot;
  std::size_t bytes = 0;
  /// Set by readers, cleared by the evicting writer (second chance), so that a
  /// read takes the shared lock only.
  std::atomic<bool> used{true};
};

} // namespace

struct config_index::shard {
  using map_type = std::unordered_map<config_key, entry, key_hash, key_equal>;
  mutable std::shared_mutex mutex;
  map_type map;
  /// Entries in clock order; the hand is the front.
  std::list<const config_key*> ring;
  std::size_t bytes = 0;

  void evict(std::size_t bytes_max) {
    auto chances = ring.size() * 2;
    while (bytes > bytes_max && ring.size() > 1 && chances-- > 0) {
      const auto* key = ring.front();
      const auto it = map.find(*key);
      if (it->second.used.exchange(false, std::memory_order_relaxed)) {
        ring.splice(ring.end(), ring, ring.begin());
        continue;
      }
      bytes -= it->second.bytes;
      ring.pop_front();
      map.erase(it);
    }
  }
};

config_index::config_index(std::size_t bytes_max)
  : shards_(std::make_unique<std::array<shard, shard_count>>()),
    shard_bytes_max_(bytes_max / shard_count) {
  // nop
}

config_index::~config_index() = default;

config_index::shard& config_index::shard_of(const key_view& key) const {
  return (*shards_)[key_hash{}(key) % shard_count];
}

std::optional<config_snapshot_ptr>
config_index::find(const key_view& key) const {
  const auto& s = shard_of(key);
  const std::shared_lock lock(s.mutex);
  const auto it = s.map.find(key);
  if (it == s.map.end())
    return std::nullopt;
  auto& used = const_cast<std::atomic<bool>&>(it->second.used);
  if (!used.load(std::memory_order_relaxed))
    used.store(true, std::memory_order_relaxed);
  return it->second.snapshot;
}

void config_index::publish(const config_key& key,
                           config_snapshot_ptr snapshot) {
  auto& s = shard_of(key.view());
  const auto bytes = cost(key, snapshot);
  // The replaced snapshot is destroyed after the lock is gone.
  config_snapshot_ptr old;
  const std::unique_lock lock(s.mutex);
  const auto [it, fresh] = s.map.try_emplace(key);
  if (fresh)
    s.ring.push_back(&it->first);
  s.bytes += bytes - it->second.bytes;
  it->second.bytes = bytes;
  old = std::exchange(it->second.snapshot, std::move(snapshot));
  s.evict(shard_bytes_max_);
}

void config_index::clear() {
  for (auto& s : *shards_) {
    const std::unique_lock lock(s.mutex);
    s.map.clear();
    s.ring.clear();
    s.bytes = 0;
  }
}

void config_index::drop(
    const std::function<bool(const config_key&)>& is_gone) {
  for (auto& s : *shards_) {
    const std::unique_lock lock(s.mutex);
    for (auto at = s.ring.begin(); at != s.ring.end();) {
      if (!is_gone(**at)) {
        ++at;
        continue;
      }
      const auto found = s.map.find(**at);
      s.bytes -= found->second.bytes;
      at = s.ring.erase(at);
      s.map.erase(found);
    }
  }
}

std::size_t config_index::bytes() const noexcept {
  std::size_t n = 0;
  for (const auto& s : *shards_) {
    const std::shared_lock lock(s.mutex);
    n += s.bytes;
  }
  return n;
}

std::size_t config_index::size() const noexcept {
  std::size_t n = 0;
  for (const auto& s : *shards_) {
    const std::shared_lock lock(s.mutex);
    n += s.map.size();
  }
  return n;
}

} // namespace muster::api
