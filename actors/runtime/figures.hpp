#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

/// What the node's own actors count, for metrics.
namespace muster::runtime {

/// Written by one actor, read by any thread. Relaxed: a figure orders nothing.
class figure {
public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(get() + n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) noexcept {
    value_.store(n, std::memory_order_relaxed);
  }
  std::uint64_t get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<std::uint64_t> value_{0};
};

/// One partition's member here, as of its last tick.
struct partition_figures {
  figure held; ///< 1 once there is one
  figure leads;
  figure term;
  figure commit;
  figure applied;
};

/// Lives as long as the node; counts go on when an actor is replaced.
struct node_figures {
  explicit node_figures(std::size_t partition_count)
      : partitions(partition_count) {}

  figure log_syncs;
  figure log_entries;
  /// Of the gate: batches for other nodes, and their bytes. `dropped` counts
  /// batches there was no way or no room for.
  figure peer_messages_sent;
  figure peer_bytes_sent;
  figure peer_messages_dropped;
  figure peer_messages_received;
  figure peer_bytes_received;
  figure snapshot_bytes_sent;
  figure snapshot_bytes_received;
  figure publications; ///< of ephemeral clients, as distro knows them
  std::vector<partition_figures> partitions; ///< by number, 0…P
};

} // namespace muster::runtime
