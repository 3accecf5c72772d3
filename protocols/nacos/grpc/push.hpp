#pragma once

#include <cstdint>
#include <string_view>

#include <grpcpp/support/byte_buffer.h>

#include "actors/api/connection.hpp"

/// What the server sends on a stream. Pure functions, any thread.
/// Source: nacos-grpc 5, 6.8, 6.9, 7.2, 7.8, 11.
namespace muster::nacos::remote {

struct push_context {
  std::string_view server_ip;
  std::string_view connection_id;
  /// Config changes: the client leaves the public namespace out, so do we.
  bool blank_tenant = false;
};

::grpc::ByteBuffer render_push(const api::push_item& item,
                               std::uint64_t request_id,
                               const push_context& context);

/// `SetupAckRequest` with what this server can do.
::grpc::ByteBuffer setup_ack(std::string_view server_ip);

} // namespace muster::nacos::remote
