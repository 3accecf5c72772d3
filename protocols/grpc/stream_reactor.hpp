#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>

#include "protocols/grpc/call.hpp"
#include "protocols/grpc/server.hpp"

namespace muster::rpc {

/// One bidirectional stream. Keeps itself alive until gRPC is through with it;
/// whoever else holds it can do no harm afterwards.
///
/// gRPC takes one write at a time and, to be safe on all its paths, the final
/// status only when no write is on its way; so `close` waits a moment for such a
/// write, then cancels it, and the status follows when gRPC gave it back.
class stream_reactor final : public ::grpc::ServerGenericBidiReactor,
                             public stream,
                             public std::enable_shared_from_this<stream_reactor> {
public:
  stream_reactor(::grpc::GenericCallbackServerContext& context,
                 const stream_limits& limits);

  /// Starts reading. To be called once, right after making it.
  void open(const stream_handler& make);

  std::string_view peer() const noexcept override { return peer_; }
  bool write(::grpc::ByteBuffer message) override;
  void close(::grpc::Status status) override;

private:
  using clock = std::chrono::steady_clock;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  /// No more writes and, as soon as that can be, the status. False if it was
  /// said before. True in `waits` if a write has to come back first.
  bool begin_close(::grpc::Status status, bool& waits);
  /// Ends a write that does not come back by itself.
  void cancel_write();
  /// False if the queue is full. `mutex_` is held.
  bool enqueue(::grpc::ByteBuffer& message);
  /// Whether the status may go out now; says yes once. `mutex_` is held.
  bool may_finish();

  ::grpc::GenericCallbackServerContext& context_; ///< valid until OnDone
  const stream_limits& limits_;
  const std::string peer_;
  std::shared_ptr<stream_reactor> self_;
  std::shared_ptr<stream_events> events_;
  ::grpc::ByteBuffer incoming_;
  std::unique_ptr<::grpc::Alarm> patience_; ///< set by `close`, once

  std::mutex mutex_;
  ::grpc::ByteBuffer outgoing_; ///< while `writing_`
  std::list<::grpc::ByteBuffer> queue_;
  std::size_t queued_bytes_ = 0;
  clock::time_point write_began_;
  bool writing_ = false;
  bool closing_ = false;
  bool cancelling_ = false;
  bool finished_ = false;
  ::grpc::Status status_;
};

} // namespace muster::rpc
