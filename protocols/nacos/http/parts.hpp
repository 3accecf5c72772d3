#pragma once

#include "protocols/common/route.hpp"
#include "protocols/nacos/codec/request_rules.hpp"

namespace muster::nacos {

namespace udp {
class pusher;
}

/// What the handlers of Nacos' HTTP APIs use beside the node. Made by the
/// wiring, immutable then; what it points to outlives the listener.
struct http_parts final : common::product_parts {
  /// Null: clients of 1.x hear of changes by their polls only.
  udp::pusher* pushes = nullptr;
  request_rules rules;
  /// Days that the history is kept; only told.
  std::uint32_t retention_days = 30;
};

/// Those of the request's product.
const http_parts& parts_of(const common::context& c) noexcept;

} // namespace muster::nacos
