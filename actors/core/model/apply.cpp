#include "actors/core/model/apply.hpp"

#include "actors/core/base/hash.hpp"
#include "actors/core/base/invariant.hpp"
#include "actors/core/model/apply_step.hpp"

namespace muster::model {

namespace {

constexpr std::uint64_t partitions_max = 4096;

/// A repeated proposal is recognised for this many log entries; so many rows
/// the table holds at most. About 3 s of a partition's highest write rate.
constexpr std::uint64_t dedupe_window = 1U << 17U;

std::string dedupe_key(std::uint64_t client, std::uint64_t sequence) {
  return key_codec::encode(std::uint64_t{1}, client, sequence);
}

std::string dedupe_slot_key(log_index index) {
  return key_codec::encode(std::uint64_t{0}, index.value % dedupe_window);
}

outcome to_outcome(pb::DedupeRecord record) {
  outcome out;
  out.code = static_cast<errc>(record.code());
  out.message = std::move(*record.mutable_message());
  out.index = log_index{record.index()};
  out.id = record.id();
  out.existed = record.existed();
  return out;
}

/// Remembers an outcome and forgets the one made a window ago: the slot of an
/// index names the row that was written at it.
void remember(const std::string& key, const outcome& result,
              state_writer& state) {
  const auto slot = dedupe_slot_key(result.index);
  if (const auto old = state.get(table_id::dedupe, slot))
    dedupe_table::erase(state, *old);
  state.put(table_id::dedupe, slot, key);
  pb::DedupeRecord record;
  record.set_code(static_cast<std::uint32_t>(result.code));
  record.set_message(result.message);
  record.set_index(result.index.value);
  record.set_id(result.id);
  record.set_existed(result.existed);
  dedupe_table::put(state, key, record);
}

applied dispatch(const apply_step& step, const pb::Command& command) {
  switch (command.body_case()) {
  case pb::Command::kConfigPublish:
    return apply_to(step, command.config_publish());
  case pb::Command::kConfigRemove:
    return apply_to(step, command.config_remove());
  case pb::Command::kGrayPublish:
    return apply_to(step, command.gray_publish());
  case pb::Command::kGrayRemove:
    return apply_to(step, command.gray_remove());
  case pb::Command::kHistoryTrim:
    return apply_to(step, command.history_trim());
  case pb::Command::kNamespacePut:
    return apply_to(step, command.namespace_put());
  case pb::Command::kNamespaceRemove:
    return apply_to(step, command.namespace_remove());
  case pb::Command::kServicePut:
    return apply_to(step, command.service_put());
  case pb::Command::kServiceRemove:
    return apply_to(step, command.service_remove());
  case pb::Command::kInstancePut:
    return apply_to(step, command.instance_put());
  case pb::Command::kInstanceRemove:
    return apply_to(step, command.instance_remove());
  case pb::Command::kOverridePut:
    return apply_to(step, command.override_put());
  case pb::Command::kOverrideRemove:
    return apply_to(step, command.override_remove());
  case pb::Command::kEnterCluster:
    return apply_to(step, command.enter_cluster());
  case pb::Command::kMemberAdd:
    return apply_to(step, command.member_add());
  case pb::Command::kMemberChange:
    return apply_to(step, command.member_change());
  case pb::Command::BODY_NOT_SET:
    break;
  }
  return step.refuse(errc::unimplemented, "command of an unknown kind");
}

} // namespace

applied apply(const pb::Command& command, partition_id partition,
              log_index index, state_writer& state) {
  const apply_step step{command.time_ms(), partition, index, state};
  if (command.sequence() == 0)
    return dispatch(step, command);
  const auto key = dedupe_key(command.client(), command.sequence());
  if (auto known = dedupe_table::get(state, key))
    return {to_outcome(std::move(*known)), {}};
  auto out = dispatch(step, command);
  remember(key, out.result, state);
  return out;
}

partition_id config_partition(std::string_view space, std::string_view group,
                              std::uint64_t count) {
  MUSTER_INVARIANT(count > 0, "a cluster has config partitions");
  using namespace std::string_view_literals;
  const auto hash = fnv1a(group, fnv1a("\0"sv, fnv1a(space)));
  return partition_id{1 + hash % count};
}

std::uint64_t make_id(partition_id partition, log_index index) {
  MUSTER_INVARIANT(partition.value < partitions_max, "ids hold 12 bits of it");
  return index.value * partitions_max + partition.value;
}

} // namespace muster::model
