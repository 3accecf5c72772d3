#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

/// What a product sees of gRPC: bytes in, bytes out, no generated code.
namespace muster::rpc {

/// A unary call whose request has arrived. Owned by the server; lives until
/// `finish` or `fail`, of which exactly one must be called, once, from any
/// thread; the object must not be touched afterwards.
class unary_call {
public:
  /// The transport's text form (`ipv4:1.2.3.4:5678`): the same for all calls of
  /// one TCP connection and unique while that lives.
  virtual std::string_view peer() const noexcept = 0;
  /// First metadata value of that (lower-case) name; empty if absent.
  virtual std::string_view header(std::string_view name) const = 0;
  virtual const ::grpc::ByteBuffer& request() const noexcept = 0;

  virtual void finish(::grpc::ByteBuffer response) = 0;
  virtual void fail(::grpc::Status status) = 0;

protected:
  ~unary_call() = default;
};

/// Called on a thread of the server's loops; must not block.
using unary_handler = std::function<void(unary_call&)>;

/// The server's side of a bidirectional stream. Any thread may call the
/// members; they are safe after the end.
class stream {
public:
  virtual ~stream() = default;
  virtual std::string_view peer() const noexcept = 0;

  /// Queues one message; one is on its way at a time. False, and nothing is
  /// queued, if the stream is over or its queue is full. A stream whose message
  /// has not left for `stream_limits::stalled_after` is closed by this.
  virtual bool write(::grpc::ByteBuffer message) = 0;

  /// Ends the stream; what was queued is dropped. A client that does not take
  /// the message that is on its way sees CANCELLED, others `status`. Idempotent,
  /// the first one counts.
  virtual void close(::grpc::Status status) = 0;
};

/// The product's side of a stream. Calls come one after the other, on the
/// thread of the loop that the stream arrived at, and must not block.
class stream_events {
public:
  virtual ~stream_events() = default;
  virtual void on_message(const ::grpc::ByteBuffer& message) = 0;
  /// The last call: the client has ended the stream or its transport is gone, or
  /// the server's `close` is through.
  virtual void on_end() = 0;
};

/// Makes the product's side of a stream that was just opened.
using stream_handler
  = std::function<std::shared_ptr<stream_events>(std::shared_ptr<stream>)>;

} // namespace muster::rpc
