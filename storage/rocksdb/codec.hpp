#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "actors/core/raft/ports.hpp"

/// Keys and values as they stand on disk (layout: engine.hpp). Part of the disk
/// format; a change needs a new format byte.
namespace muster::storage::codec {

/// First byte of every value of raft_log and raft_meta, and of the applied row.
inline constexpr char format = 1;

/// The table of the applied position: behind all others, so that an importer,
/// which writes in key order, can put it last. No `table_id` has this number.
inline constexpr table_id applied_table{255};
/// Keys in it: the position, and the snapshot that was imported last.
inline constexpr std::string_view applied_row{};
inline constexpr std::string_view imported_row = "imported";

enum class meta_part : std::uint8_t { hard_state = 1, snapshot = 2, floor = 3 };

/// The floor of a group that was given up once, and whether it is so now.
struct stored_floor {
  raft::log_position position;
  bool given_up = false;
};

void append_u64(std::string& out, std::uint64_t number);

std::string log_key(partition_id group, log_index index);
/// The same over `out`, whose memory is used again.
void log_key(std::string& out, partition_id group, log_index index);
std::string meta_key(partition_id group, meta_part part);
/// What all keys of the group begin with, and so not behind any of them.
std::string group_begin(partition_id group);
/// The first key behind all of the group's.
std::string group_end(partition_id group);
/// Writes partition ‖ table ‖ key over `out`, whose memory is used again.
void state_key(std::string& out, partition_id group, table_id table,
               std::string_view key);
inline constexpr std::size_t state_key_head = 9;

/// The index in a log key of `group`.
result<log_index> decode_log_key(std::string_view key);

/// format, kind and term of an entry; the payload follows them.
inline constexpr std::size_t entry_head = 10;
void encode_entry_head(std::string& out, const raft::entry& entry);
/// An entry without its payload; `payload` views into `value`.
result<raft::entry> decode_entry(log_index index, std::string_view value,
                                 std::string_view& payload);

std::string encode(const raft::hard_state& state);
std::string encode(const raft::snapshot_meta& meta);
std::string encode(const raft::log_position& position);
std::string encode(const stored_floor& floor);
result<raft::hard_state> decode_hard_state(std::string_view value);
result<raft::snapshot_meta> decode_snapshot(std::string_view value);
result<raft::log_position> decode_position(std::string_view value);
result<stored_floor> decode_floor(std::string_view value);

} // namespace muster::storage::codec
