#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "actors/core/raft/ports.hpp"

namespace muster::pb {
class SnapshotRows;
} // namespace muster::pb

/// A group's tables in numbered parts, as they travel to a member that is far
/// behind (proto/muster/peer.proto). Neither end holds more than a part.
///
/// Each part carries the checksum of all rows up to its end. So bytes that
/// changed on the way, and parts that are missing, doubled or of another
/// snapshot, are found before a row of them is used.
namespace muster::raft {

/// The sending end. Owns the open tables; one thread.
class snapshot_source {
public:
  /// A part takes about `part_bytes`, but at least one row.
  snapshot_source(std::unique_ptr<state_store::exporter> tables,
                  std::size_t part_bytes)
      : tables_(std::move(tables)), part_bytes_(part_bytes) {}

  const log_position& position() const { return tables_->position(); }

  /// pb::SnapshotPart number `part`: the one behind the newest one given, that
  /// one again (its answer was lost), or the first (the receiver starts anew).
  /// `out_of_range` for others, and behind the last one.
  result<std::string> part(std::uint64_t number);

private:
  /// Where a part begins.
  struct start {
    std::uint64_t number = 0;
    state_store::place after;
    std::uint32_t checksum = 0;
  };

  std::unique_ptr<state_store::exporter> tables_;
  std::size_t part_bytes_;
  start newest_;
  start next_;
  bool ended_ = false;
};

/// The receiving end: looks at what comes. One thread.
class snapshot_sink {
public:
  snapshot_sink();
  ~snapshot_sink();
  snapshot_sink(snapshot_sink&&) noexcept;
  snapshot_sink& operator=(snapshot_sink&&) noexcept;

  /// Of the part wanted now.
  std::uint64_t next() const { return next_; }
  /// The last part was taken.
  bool complete() const { return complete_; }

  /// Takes the part wanted, to be filled in. `data_loss` if it is damaged or
  /// another one: nothing has changed, it may be asked for again.
  result<void> take(std::string_view part);

  /// Adds the rows of the part taken last, before the next one is taken; `to`
  /// says what can go wrong.
  result<void> fill(state_store::importer& to);

private:
  std::uint64_t next_ = 0;
  std::uint32_t checksum_ = 0;
  bool complete_ = false;
  std::unique_ptr<pb::SnapshotRows> rows_;
};

} // namespace muster::raft
