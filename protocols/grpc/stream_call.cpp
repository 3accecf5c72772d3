#include "protocols/grpc/stream_call.hpp"

#include <utility>

namespace muster::rpc {

namespace {

/// How long a message that is on its way may hold back the end of its stream.
constexpr std::chrono::seconds write_patience(1);

} // namespace

stream_call::stream_call(std::unique_ptr<transport> over,
                         const stream_limits& limits)
  : over_(std::move(over)), limits_(limits), peer_(over_->context.peer()) {
  // nop
}

void stream_call::open(const stream_handler& make) {
  self_ = shared_from_this();
  events_ = make(self_);
  start_read();
}

bool stream_call::write(::grpc::ByteBuffer message) {
  const auto now = clock::now();
  const std::lock_guard lock(mutex_);
  if (closing_)
    return false;
  if (writing_ && now - write_began_ >= limits_.stalled_after) {
    begin_close({::grpc::StatusCode::UNAVAILABLE, "the client does not read"});
    over_->context.TryCancel();
    return false;
  }
  if (!enqueue(message))
    return false;
  if (!writing_) {
    writing_ = true;
    write_began_ = now;
    ++steps_;
    over_->sending.add(shared_from_this());
  }
  return true;
}

void stream_call::send_next() {
  {
    const std::lock_guard lock(mutex_);
    if (!closing_)
      return start_write();
  }
  write_.done(false);
}

void stream_call::start_write() {
  outgoing_.Swap(&queue_.front());
  queue_.pop_front();
  queued_bytes_ -= outgoing_.Length();
  write_began_ = clock::now();
  over_->io.Write(outgoing_, write_.tag());
}

bool stream_call::enqueue(::grpc::ByteBuffer& message) {
  const auto bytes = message.Length();
  if (queue_.size() >= limits_.queued_messages_max
      || queued_bytes_ + bytes > limits_.queued_bytes_max)
    return false;
  queue_.emplace_back().Swap(&message);
  queued_bytes_ += bytes;
  return true;
}

void stream_call::close(::grpc::Status status) {
  const std::lock_guard lock(mutex_);
  if (closing_)
    return;
  begin_close(std::move(status));
  if (!writing_)
    return;
  ++steps_;
  patience_.emplace().Set(&over_->queue,
                          std::chrono::system_clock::now() + write_patience,
                          wait_.tag());
}

void stream_call::begin_close(::grpc::Status status) {
  closing_ = true;
  status_ = std::move(status);
  queue_.clear();
  queued_bytes_ = 0;
  if (!writing_)
    start_finish();
}

void stream_call::start_finish() {
  ++steps_;
  over_->io.Finish(status_, finish_.tag());
}

void stream_call::start_read() {
  const std::lock_guard lock(mutex_);
  if (closing_)
    return;
  ++steps_;
  over_->io.Read(&incoming_, read_.tag());
}

void stream_call::on_read(bool ok) {
  if (!ok) {
    close(::grpc::Status::OK);
    return;
  }
  events_->on_message(incoming_);
  incoming_.Clear();
  start_read();
}

void stream_call::on_written(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_ = false;
  outgoing_.Clear();
  if (patience_)
    patience_->Cancel();
  if (closing_) {
    start_finish();
  } else if (!ok) {
    begin_close({::grpc::StatusCode::UNAVAILABLE, "the stream is broken"});
  } else if (!queue_.empty()) {
    writing_ = true;
    ++steps_;
    start_write();
  }
}

void stream_call::on_patience_over(bool ok) {
  const std::lock_guard lock(mutex_);
  if (ok && writing_)
    over_->context.TryCancel();
}

void stream_call::step_over() {
  std::shared_ptr<stream_call> last;
  {
    const std::lock_guard lock(mutex_);
    if (--steps_ > 0)
      return;
    // Whoever holds the stream does not hold gRPC's side of it.
    over_.reset();
    last = std::move(self_);
  }
  if (const auto events = std::exchange(events_, nullptr))
    events->on_end();
}

} // namespace muster::rpc
