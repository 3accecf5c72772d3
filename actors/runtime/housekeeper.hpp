#pragma once

#include <cstdint>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include "actors/runtime/context.hpp"
#include "actors/runtime/supervisor.hpp"

/// Work that nobody waits for: log compaction and removal of old history.
namespace muster::runtime {

struct housekeeper_settings {
  /// Entries applied since the last compaction that make one worth its while.
  /// Bounds the time a restart spends on re-applying.
  std::uint64_t compact_after_entries = 50'000;
  /// Entries of each log that stay for members that are behind. Whoever is
  /// further behind needs a snapshot.
  std::uint64_t kept_entries = 5'000;
  /// Compact at the latest this long after an entry was applied.
  milliseconds compact_after{60'000};
  /// How often to look.
  milliseconds look_every{1'000};
  /// History rows older than this are removed.
  std::chrono::days history_kept{30};
  milliseconds trim_every{600'000};
};

/// What the housekeeper works with. References outlive it.
struct housekeeper_parts {
  node_context& context;
  node_handles& handles;
  raft::log_store& logs;
  raft::state_store& tables;
  std::uint64_t partitions = 0;
  housekeeper_settings settings;
};

/// Detached: it waits for flushes of the tables.
caf::actor spawn_housekeeper(caf::actor_system& system,
                             housekeeper_parts parts);

/// Makes the tables durable and forgets the logs up to there; blocks. Used at an
/// orderly stop of a node that stands alone, so that the next start has nothing
/// to re-apply and little to read.
void compact_all(raft::log_store& logs, raft::state_store& tables, node_id self,
                 std::uint64_t partitions);

} // namespace muster::runtime
