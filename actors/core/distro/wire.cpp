#include "actors/core/distro/wire.hpp"

#include <limits>

#include "muster/peer.pb.h"

namespace muster::distro {

namespace {

/// Revisions count milliseconds; one beyond this is damage, and would leave no
/// greater ones.
constexpr std::uint64_t revision_max = std::uint64_t{1} << 62U;

} // namespace

void to_wire(const naming::instance& in, pb::DistroInstance& out) {
  out.set_ip(in.ip);
  out.set_port(in.port);
  out.set_weight(in.weight);
  out.set_healthy(in.healthy);
  out.set_enabled(in.enabled);
  out.set_cluster(in.cluster);
  out.set_instance_id(in.instance_id);
  for (const auto& [name, value] : in.metadata) {
    auto& m = *out.add_metadata();
    m.set_name(name);
    m.set_value(value);
  }
  out.set_app(in.app);
}

void to_wire(const service_key& in, pb::DistroService& out) {
  out.set_space(in.space);
  out.set_group(in.group);
  out.set_service(in.service);
}

void to_wire(const naming::publication& in, pb::DistroPublication& out) {
  to_wire(*in.service, *out.mutable_service());
  out.set_client_id(in.client_id);
  out.set_revision(in.from.revision);
  out.set_owner(in.from.owner.node.value);
  out.set_boot(in.from.owner.boot);
  out.set_taken(in.from.taken);
  out.set_health(static_cast<std::uint32_t>(in.health));
  out.set_asked(in.asked);
  for (const auto& i : in.instances)
    to_wire(*i, *out.add_instances());
}

void to_wire(const naming::publication& in, pb::DistroName& out) {
  to_wire(*in.service, *out.mutable_service());
  out.set_client_id(in.client_id);
  out.set_revision(in.from.revision);
}

naming::instance_ptr from_wire(const pb::DistroInstance& in) {
  auto out = std::make_shared<naming::instance>();
  out->ip = in.ip();
  out->port = static_cast<std::uint16_t>(in.port());
  out->weight = in.weight();
  out->healthy = in.healthy();
  out->enabled = in.enabled();
  out->cluster = in.cluster();
  out->instance_id = in.instance_id();
  for (const auto& m : in.metadata())
    out->metadata.insert_or_assign(m.name(), m.value());
  out->app = in.app();
  return out;
}

service_key from_wire(const pb::DistroService& in) {
  return {in.space(), in.group(), in.service()};
}

result<naming::publication_ptr> from_wire(const pb::DistroPublication& in) {
  if (in.client_id().empty() || in.service().service().empty()
      || in.service().space().empty() || in.revision() == 0
      || in.revision() > revision_max || in.owner() == 0
      || in.health() > static_cast<std::uint32_t>(naming::beat_health::healed))
    return fail(errc::invalid_argument, "no publication");
  auto out = std::make_shared<naming::publication>();
  out->service = std::make_shared<const service_key>(from_wire(in.service()));
  out->client_id = in.client_id();
  out->from = {in.revision(), {node_id{in.owner()}, in.boot()}, in.taken()};
  out->health = static_cast<naming::beat_health>(in.health());
  out->asked = in.asked();
  for (const auto& i : in.instances()) {
    if (i.port() > std::numeric_limits<std::uint16_t>::max())
      return fail(errc::invalid_argument, "an instance's port is no port");
    out->instances.push_back(from_wire(i));
  }
  return out;
}

} // namespace muster::distro
