#include "storage/rocksdb/codec.hpp"

#include <vector>

#include "actors/core/model/table.hpp"

namespace muster::storage::codec {
namespace {

using key_codec::take;

std::unexpected<error> broken(const char* what) {
  return fail(errc::data_loss, std::string(what) + " does not parse");
}

/// Takes the format byte off; false if it is another one.
bool take_format(std::string_view& in) {
  if (in.empty() || in.front() != format)
    return false;
  in.remove_prefix(1);
  return true;
}

void append_nodes(std::string& out, const std::vector<node_id>& nodes) {
  append_u64(out, nodes.size());
  for (const auto n : nodes)
    append_u64(out, n.value);
}

bool take_nodes(std::string_view& in, std::vector<node_id>& nodes) {
  std::uint64_t count = 0;
  if (!take(in, count) || count > in.size() / 8)
    return false;
  nodes.resize(static_cast<std::size_t>(count));
  for (auto& n : nodes) {
    if (!take(in, n.value))
      return false;
  }
  return true;
}

} // namespace

void append_u64(std::string& out, std::uint64_t number) {
  key_codec::append(out, number);
}

std::string log_key(partition_id group, log_index index) {
  return key_codec::encode(group.value, index.value);
}

void log_key(std::string& out, partition_id group, log_index index) {
  out.clear();
  append_u64(out, group.value);
  append_u64(out, index.value);
}

std::string meta_key(partition_id group, meta_part part) {
  auto key = group_begin(group);
  key.push_back(static_cast<char>(part));
  return key;
}

std::string group_begin(partition_id group) {
  return key_codec::encode(group.value);
}

std::string group_end(partition_id group) {
  return key_codec::encode(group.value + 1);
}

void state_key(std::string& out, partition_id group, table_id table,
               std::string_view key) {
  out.clear();
  append_u64(out, group.value);
  out.push_back(static_cast<char>(table));
  out.append(key);
}

result<log_index> decode_log_key(std::string_view key) {
  std::uint64_t group = 0;
  log_index index;
  if (!take(key, group) || !take(key, index.value) || !key.empty())
    return broken("a key of the log");
  return index;
}

void encode_entry_head(std::string& out, const raft::entry& entry) {
  out.clear();
  out.push_back(format);
  out.push_back(static_cast<char>(entry.kind));
  append_u64(out, entry.term.value);
}

result<raft::entry> decode_entry(log_index index, std::string_view value,
                                 std::string_view& payload) {
  raft::entry entry;
  entry.index = index;
  if (!take_format(value) || value.empty()
      || static_cast<std::uint8_t>(value.front())
           > static_cast<std::uint8_t>(raft::entry_kind::configuration))
    return broken("a log entry");
  entry.kind = static_cast<raft::entry_kind>(value.front());
  value.remove_prefix(1);
  if (!take(value, entry.term.value))
    return broken("a log entry");
  payload = value;
  return entry;
}

std::string encode(const raft::hard_state& state) {
  std::string out(1, format);
  append_u64(out, state.term.value);
  append_u64(out, state.vote.value);
  return out;
}

std::string encode(const raft::snapshot_meta& meta) {
  auto out = encode(meta.last);
  append_nodes(out, meta.members.voters);
  append_nodes(out, meta.members.outgoing);
  append_nodes(out, meta.members.learners);
  return out;
}

std::string encode(const raft::log_position& position) {
  std::string out(1, format);
  append_u64(out, position.term.value);
  append_u64(out, position.index.value);
  return out;
}

std::string encode(const stored_floor& floor) {
  auto out = encode(floor.position);
  out.push_back(floor.given_up ? 1 : 0);
  return out;
}

result<raft::hard_state> decode_hard_state(std::string_view value) {
  raft::hard_state state;
  if (!take_format(value) || !take(value, state.term.value)
      || !take(value, state.vote.value) || !value.empty())
    return broken("a stored term and vote");
  return state;
}

result<raft::snapshot_meta> decode_snapshot(std::string_view value) {
  raft::snapshot_meta meta;
  if (!take_format(value) || !take(value, meta.last.term.value)
      || !take(value, meta.last.index.value)
      || !take_nodes(value, meta.members.voters)
      || !take_nodes(value, meta.members.outgoing)
      || !take_nodes(value, meta.members.learners) || !value.empty())
    return broken("a stored snapshot position");
  return meta;
}

result<raft::log_position> decode_position(std::string_view value) {
  raft::log_position position;
  if (!take_format(value) || !take(value, position.term.value)
      || !take(value, position.index.value) || !value.empty())
    return broken("a stored applied position");
  return position;
}

result<stored_floor> decode_floor(std::string_view value) {
  if (value.empty() || (value.back() != 0 && value.back() != 1))
    return broken("a stored floor");
  const bool given_up = value.back() == 1;
  value.remove_suffix(1);
  const auto position = decode_position(value);
  if (!position)
    return broken("a stored floor");
  return stored_floor{*position, given_up};
}

} // namespace muster::storage::codec
