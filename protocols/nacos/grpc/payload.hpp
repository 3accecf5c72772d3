#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <grpcpp/support/byte_buffer.h>

#include "actors/core/base/result.hpp"

/// The envelope of every Nacos gRPC message, coded by hand: three tiny messages
/// of a proto file without package. Source: nacos-grpc 1.2, 2.
namespace muster::nacos::remote {

/// A received `Payload`; the views point into the bytes it was read from.
struct envelope {
  std::string_view type;      ///< metadata.type
  std::string_view client_ip; ///< metadata.clientIp, as declared
  std::string_view body;      ///< body.value: JSON text

  /// Value of a metadata header, letter case ignored; the last one if it came
  /// twice, empty if absent.
  std::string_view header(std::string_view name) const;

  std::string_view metadata; ///< encoded; well-formed
};

/// Reads an envelope. Unknown fields are skipped, absent ones are empty, of
/// repeated ones the last counts. `invalid_argument` for bytes that are no
/// protobuf message or a known field of another wire type.
result<envelope> parse_envelope(std::string_view bytes);

/// The bytes of one message in one piece. Neither copied nor moved: short
/// contents live inside of the object.
class message_bytes {
public:
  explicit message_bytes(const ::grpc::ByteBuffer& buffer);
  message_bytes(const message_bytes&) = delete;
  std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(slice_.begin()), slice_.size()};
  }

private:
  ::grpc::Slice slice_;
};

/// An encoded `Payload` without headers.
std::string encode_envelope(std::string_view type, std::string_view body,
                            std::string_view client_ip = {});
/// The same as what gRPC sends; `body` is copied.
::grpc::ByteBuffer make_payload(std::string_view type, std::string_view body,
                                std::string_view client_ip = {});
/// `before`, `shared` and `after` are the body; `shared` is not copied.
::grpc::ByteBuffer make_payload(std::string_view type, std::string_view before,
                                std::shared_ptr<const std::string> shared,
                                std::string_view after,
                                std::string_view client_ip);
/// Bytes that are kept elsewhere (an encoded payload), not copied.
::grpc::ByteBuffer share(std::shared_ptr<const std::string> bytes);

} // namespace muster::nacos::remote
