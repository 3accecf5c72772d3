#include "protocols/nacos/codec/naming_command.hpp"

namespace muster::nacos {

void set_key(pb::ServiceKey& out, const service_key& key) {
  out.set_namespace_id(key.space);
  out.set_group(key.group);
  out.set_service(key.service);
}

void fill_record(pb::InstanceRecord& out, const naming::instance& in) {
  out.set_ip(in.ip);
  out.set_port(in.port);
  out.set_weight(in.weight);
  out.set_healthy(in.healthy);
  out.set_enabled(in.enabled);
  out.set_cluster(in.cluster);
  out.set_instance_id(in.instance_id);
  out.set_app(in.app);
  for (const auto& [name, value] : in.metadata)
    (*out.mutable_metadata())[name] = value;
}

} // namespace muster::nacos
