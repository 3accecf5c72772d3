#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <grpcpp/alarm.h>

#include "protocols/grpc/call.hpp"
#include "protocols/grpc/server.hpp"
#include "protocols/grpc/transport.hpp"

namespace muster::rpc {

/// One bidirectional stream. Keeps itself alive until gRPC is through with it;
/// whoever else holds it can do no harm afterwards.
///
/// gRPC takes one write at a time and, to be safe on all its paths, the final
/// status only when no write is on its way; so `close` waits a moment for such a
/// write, then cancels it, and the status follows when gRPC gave it back.
///
/// The steps (read, write, finish, alarm) come back one after the other on the
/// thread of the call's queue; `write` and `close` come from anywhere.
class stream_call final : public stream,
                          public std::enable_shared_from_this<stream_call> {
public:
  stream_call(std::unique_ptr<transport> over, const stream_limits& limits);

  /// Starts reading. To be called once, right after making it.
  void open(const stream_handler& make);

  /// Begins to send what `write` has queued; on the queue's thread.
  void send_next();

  std::string_view peer() const noexcept override { return peer_; }
  bool write(::grpc::ByteBuffer message) override;
  void close(::grpc::Status status) override;

private:
  using clock = std::chrono::steady_clock;

  /// A step whose end is told to a member of the call.
  struct member_step final : step {
    using member = void (stream_call::*)(bool);
    member_step(stream_call& c, member m) : call(c), told(m) {}
    void done(bool ok) override {
      (call.*told)(ok);
      call.step_over();
    }
    stream_call& call;
    const member told;
  };

  void on_read(bool ok);
  void on_written(bool ok);
  void on_finished(bool) {}
  void on_patience_over(bool ok);
  /// The last one out ends the call.
  void step_over();
  void start_read();

  // `mutex_` is held in these. gRPC calls nothing of ours from inside of what
  // they begin: all of it comes back through the queue.
  void start_write();
  void start_finish();
  /// No more writes and, as soon as that can be, the status.
  void begin_close(::grpc::Status status);
  /// False if the queue is full.
  bool enqueue(::grpc::ByteBuffer& message);

  std::unique_ptr<transport> over_; ///< until the last step is over
  const stream_limits& limits_;
  const std::string peer_;
  std::shared_ptr<stream_call> self_;
  std::shared_ptr<stream_events> events_;
  ::grpc::ByteBuffer incoming_;
  member_step read_{*this, &stream_call::on_read};
  member_step write_{*this, &stream_call::on_written};
  member_step finish_{*this, &stream_call::on_finished};
  member_step wait_{*this, &stream_call::on_patience_over};

  std::mutex mutex_;
  ::grpc::ByteBuffer outgoing_; ///< while `writing_`
  std::list<::grpc::ByteBuffer> queue_;
  std::size_t queued_bytes_ = 0;
  clock::time_point write_began_;
  std::optional<::grpc::Alarm> patience_; ///< set when closing waits for a write
  unsigned steps_ = 0;                    ///< begun and not over
  bool writing_ = false; ///< a message is on its way, or about to be
  bool closing_ = false;
  ::grpc::Status status_;
};

} // namespace muster::rpc
