#include "protocols/nacos/grpc/service_body.hpp"

#include "protocols/common/render_slots.hpp"
#include "protocols/nacos/codec/instance_json.hpp"

namespace muster::nacos::remote {

namespace {

std::string render(const naming::service_view& view, std::string_view clusters,
                   bool healthy_only) {
  std::string out;
  common::json_out json(out);
  write_service_info(json, view,
                     {.clusters = clusters, .healthy_only = healthy_only},
                     {.grouped_name = false});
  return out;
}

} // namespace

std::shared_ptr<const std::string>
service_body(const naming::service_view& view, std::string_view clusters,
             bool healthy_only) {
  if (!clusters.empty() || healthy_only)
    return std::make_shared<const std::string>(
      render(view, clusters, healthy_only));
  if (auto kept = view.rendered.find(common::service_slot::grpc_list))
    return kept;
  return view.rendered.keep(common::service_slot::grpc_list, render(view, {}, false));
}

} // namespace muster::nacos::remote
