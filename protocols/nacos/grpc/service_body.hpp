#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "actors/core/naming/view.hpp"

namespace muster::nacos::remote {

/// `serviceInfo` of a view as gRPC clients get it (nacos-grpc 7.3), disabled
/// instances left out. The usual form (no filter, not only healthy ones) is made
/// once per view and shared by all who ask and all pushes. Any thread.
std::shared_ptr<const std::string>
service_body(const naming::service_view& view, std::string_view clusters,
             bool healthy_only = false);

} // namespace muster::nacos::remote
