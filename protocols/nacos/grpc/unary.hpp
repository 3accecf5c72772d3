#pragma once

#include <cstddef>

#include "protocols/common/auth_gate.hpp"
#include "protocols/common/limits.hpp"
#include "protocols/grpc/call.hpp"
#include "protocols/nacos/grpc/bi_stream.hpp"
#include "protocols/nacos/grpc/metrics.hpp"

namespace muster::nacos::remote {

/// What all unary calls of a door share; outlives them.
struct unary_parts {
  const stream_parts& streams;
  call_metrics& metrics;
  std::size_t message_bytes_max;
  /// Bytes of requests being worked on, all clients together.
  common::permits& bytes;
  milliseconds request_timeout;
  common::auth_switches auth;
};

/// Answers one call of `/Request/request`, now or later. The order of the checks
/// is nacos-grpc 4.3.
void serve_unary(const unary_parts& parts, rpc::unary_call& call);

/// Size of a message with JSON escapes counted as what they stand for.
std::size_t unescaped_size(std::string_view message) noexcept;

} // namespace muster::nacos::remote
