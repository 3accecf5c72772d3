#include "actors/runtime/service.hpp"

namespace muster::runtime {

namespace {

template <class Map>
naming::metadata_map to_metadata(const Map& from) {
  return {from.begin(), from.end()};
}

naming::service_definition to_definition(const pb::ServiceRecord& record) {
  naming::service_definition out;
  out.by_hand = record.by_hand();
  out.ephemeral = record.ephemeral();
  out.protect_threshold = record.protect_threshold();
  out.metadata = to_metadata(record.metadata());
  out.selector = record.selector();
  for (const auto& [name, cluster] : record.clusters())
    out.clusters[name] = {.health_checker = cluster.health_checker(),
                          .check_port = cluster.check_port(),
                          .use_instance_port = cluster.use_instance_port(),
                          .metadata = to_metadata(cluster.metadata())};
  return out;
}

naming::instance_ptr to_instance(const pb::InstanceRecord& record) {
  auto out = std::make_shared<naming::instance>();
  out->ip = record.ip();
  out->port = static_cast<std::uint16_t>(record.port());
  out->weight = record.weight();
  out->healthy = record.healthy();
  out->enabled = record.enabled();
  out->ephemeral = false;
  out->cluster = record.cluster();
  out->instance_id = record.instance_id();
  out->metadata = to_metadata(record.metadata());
  out->app = record.app();
  return out;
}

naming::instance_override to_override(const pb::OverrideRecord& record) {
  naming::instance_override out;
  if (record.has_weight())
    out.weight = record.weight();
  if (record.has_enabled())
    out.enabled = record.enabled();
  out.metadata = to_metadata(record.metadata());
  return out;
}

} // namespace

naming::stored_service to_stored(const api::service_state& state) {
  naming::stored_service out;
  if (state.record)
    out.definition = to_definition(*state.record);
  for (const auto& i : state.instances)
    out.instances.push_back(to_instance(i));
  for (const auto& o : state.overrides)
    out.overrides.emplace_back(
      naming::instance_place{o.ip, o.port, o.cluster}, to_override(o.values));
  return out;
}

} // namespace muster::runtime
