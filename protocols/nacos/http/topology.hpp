#pragma once

#include <functional>
#include <memory>

#include "actors/api/clients.hpp"
#include "protocols/common/route.hpp"

/// Nacos' operations on clients' streams (`core/loader`): a product of its own
/// on the listener, since it works with other parts.
namespace muster::nacos {

/// What its handlers use beside the node. Made by the wiring, immutable then.
struct topology_parts final : common::product_parts {
  /// Who spreads clients over the nodes; null while it is being restarted.
  std::function<api::balancer_actor()> balancer;
  /// The clients with streams to this node; null while it takes none.
  std::function<std::shared_ptr<api::client_streams>()> clients;
};

/// Context path `/nacos`, refusals as of `http_product`, which comes first and
/// takes what has no row here either.
common::product topology_product(std::shared_ptr<const topology_parts> parts);

} // namespace muster::nacos
