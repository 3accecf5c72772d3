#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include "actors/core/model/snapshot.hpp"

/// Where front-ends read configs without asking an actor.
namespace muster::api {

/// A bounded, sharded map from config key to its current snapshot.
///
/// One writer per key: the state worker of the key's partition, which publishes
/// what it has just applied or loaded; so a reader never sees an older snapshot
/// after a newer one. Any thread reads. A key that is not here says nothing
/// about the config: ask `load_config`. A null snapshot says "no such config".
/// Bound: bytes of all kept snapshots; the least recently used of a shard go
/// first. Lives as long as the node.
class config_index {
public:
  explicit config_index(std::size_t bytes_max);
  ~config_index();
  config_index(const config_index&) = delete;

  /// The snapshot (maybe null = known to be absent), or nullopt = not here.
  std::optional<config_snapshot_ptr> find(const key_view& key) const;

  /// Sets the key's snapshot; null = known to be absent.
  void publish(const config_key& key, config_snapshot_ptr snapshot);

  /// Drops everything (a state worker was restarted).
  void clear();
  /// Drops the keys that `is_gone` names (a snapshot took a partition's place).
  void drop(const std::function<bool(const config_key&)>& is_gone);

  std::size_t bytes() const noexcept;
  std::size_t size() const noexcept;

private:
  struct shard;
  static constexpr std::size_t shard_count = 64;
  shard& shard_of(const key_view& key) const;

  std::unique_ptr<std::array<shard, shard_count>> shards_;
  std::size_t shard_bytes_max_;
};

} // namespace muster::api
