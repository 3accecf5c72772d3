#include <vector>

#include "actors/core/model/apply_step.hpp"

/// Durable parts of services: definitions, persistent instances, overrides.
namespace muster::model {

namespace {

std::string name_of(const pb::ServiceKey& key) {
  return key.group() + "@@" + key.service();
}

bool any_with_prefix(const state_reader& state, table_id table,
                     std::string_view prefix) {
  bool found = false;
  scan_prefix(state, table, prefix, [&](std::string_view, std::string_view) {
    found = true;
    return false;
  });
  return found;
}

/// How many there were.
std::size_t erase_prefix(state_writer& state, table_id table,
                         std::string_view prefix) {
  std::vector<std::string> keys;
  scan_prefix(state, table, prefix,
              [&](std::string_view key, std::string_view) {
                keys.emplace_back(key);
                return true;
              });
  for (const auto& key : keys)
    state.erase(table, key);
  return keys.size();
}

applied changed(const apply_step& step, const pb::ServiceKey& key, bool existed,
                bool removed = false) {
  auto out = step.done(0, existed);
  step.tell(out, service_changed{to_service_key(key), removed});
  return out;
}

void lay_clusters(pb::ServiceRecord& onto, const pb::ServiceRecord& from) {
  for (const auto& [name, cluster] : from.clusters())
    (*onto.mutable_clusters())[name] = cluster;
}

/// What an accepted `ServicePut` stores.
pb::ServiceRecord merged(const pb::ServicePut& command,
                         const std::optional<pb::ServiceRecord>& stored) {
  const auto& given = command.record();
  if (command.mode() == pb::ServicePut::MERGE_CLUSTERS) {
    pb::ServiceRecord record;
    if (stored)
      record = *stored;
    else
      record.set_ephemeral(given.ephemeral());
    lay_clusters(record, given);
    return record;
  }
  auto record = given;
  if (stored) {
    record.set_ephemeral(stored->ephemeral());
    *record.mutable_clusters() = stored->clusters();
    lay_clusters(record, given);
  }
  return record;
}

void lay_metadata(pb::OverrideRecord& onto, const pb::OverridePut& command) {
  auto& kept = *onto.mutable_metadata();
  const auto& given = command.record().metadata();
  switch (command.metadata()) {
  case pb::OverridePut::MERGE:
    for (const auto& [name, value] : given)
      kept[name] = value;
    break;
  case pb::OverridePut::REMOVE_KEYS:
    for (const auto& [name, value] : given)
      kept.erase(name);
    break;
  case pb::OverridePut::KEEP:
    break;
  default:
    kept = given;
  }
}

} // namespace

applied apply_to(const apply_step& step, const pb::ServicePut& command) {
  const auto key = key_of(command.key());
  const auto stored = service_table::get(step.state, key);
  if (stored && command.mode() == pb::ServicePut::CREATE)
    return step.refuse(errc::already_exists,
                       "service " + name_of(command.key()) + " exists");
  if (!stored && command.mode() == pb::ServicePut::UPDATE)
    return step.refuse(errc::not_found,
                       "service " + name_of(command.key()) + " not found");
  auto record = merged(command, stored);
  record.set_revision(step.index.value);
  service_table::put(step.state, key, record);
  return changed(step, command.key(), stored.has_value());
}

applied apply_to(const apply_step& step, const pb::ServiceRemove& command) {
  const auto key = key_of(command.key());
  if (!step.state.get(table_id::service, key))
    return step.refuse(errc::not_found,
                       "service " + name_of(command.key()) + " not found");
  if (any_with_prefix(step.state, table_id::instance, key))
    return step.refuse(errc::failed_precondition,
                       "service " + name_of(command.key())
                           + " has persistent instances");
  service_table::erase(step.state, key);
  erase_prefix(step.state, table_id::instance_override, key);
  return changed(step, command.key(), true, true);
}

applied apply_to(const apply_step& step, const pb::InstancePut& command) {
  const auto service = key_of(command.key());
  const auto definition = service_table::get(step.state, service);
  if (definition && definition->ephemeral())
    return step.refuse(errc::failed_precondition,
                       "Current service " + name_of(command.key())
                           + " is ephemeral service, can't register persistent "
                             "instance.");
  if (!definition) {
    pb::ServiceRecord made;
    made.set_revision(step.index.value);
    service_table::put(step.state, service, made);
  }
  auto record = command.record();
  record.set_revision(step.index.value);
  // The same ip and port in another cluster is the same client: it moves.
  const auto replaced =
      erase_prefix(step.state, table_id::instance,
                   endpoint_prefix(service, record.ip(), record.port()));
  instance_table::put(
      step.state,
      endpoint_key(service, record.ip(), record.port(), record.cluster()),
      record);
  return changed(step, command.key(), replaced > 0);
}

applied apply_to(const apply_step& step, const pb::InstanceRemove& command) {
  const auto removed = erase_prefix(
      step.state, table_id::instance,
      endpoint_prefix(key_of(command.key()), command.ip(), command.port()));
  if (removed == 0)
    return step.done(0, false);
  return changed(step, command.key(), true);
}

applied apply_to(const apply_step& step, const pb::OverridePut& command) {
  const auto key = endpoint_key(key_of(command.key()), command.ip(),
                                command.port(), command.cluster());
  auto stored = override_table::get(step.state, key);
  const bool existed = stored.has_value();
  auto record = existed ? std::move(*stored) : pb::OverrideRecord{};
  const auto& given = command.record();
  if (given.has_weight())
    record.set_weight(given.weight());
  if (given.has_enabled())
    record.set_enabled(given.enabled());
  lay_metadata(record, command);
  record.set_revision(step.index.value);
  override_table::put(step.state, key, record);
  return changed(step, command.key(), existed);
}

applied apply_to(const apply_step& step, const pb::OverrideRemove& command) {
  const auto key = endpoint_key(key_of(command.key()), command.ip(),
                                command.port(), command.cluster());
  if (!step.state.get(table_id::instance_override, key))
    return step.done(0, false);
  override_table::erase(step.state, key);
  return changed(step, command.key(), true);
}

} // namespace muster::model
