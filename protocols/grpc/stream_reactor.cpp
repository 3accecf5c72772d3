#include "protocols/grpc/stream_reactor.hpp"

#include <utility>

namespace muster::rpc {

namespace {

/// How long a message that is on its way may hold back the end of its stream.
constexpr std::chrono::seconds write_patience(1);

} // namespace

stream_reactor::stream_reactor(::grpc::GenericCallbackServerContext& context,
                               const stream_limits& limits)
  : context_(context), limits_(limits), peer_(context.peer()) {
  // nop
}

void stream_reactor::open(const stream_handler& make) {
  self_ = shared_from_this();
  events_ = make(self_);
  StartRead(&incoming_);
}

bool stream_reactor::write(::grpc::ByteBuffer message) {
  const auto now = clock::now();
  auto stalled = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_)
      return false;
    stalled = writing_ && now - write_began_ >= limits_.stalled_after;
    if (writing_ && !stalled)
      return enqueue(message);
    if (!stalled) {
      outgoing_.Swap(&message);
      writing_ = true;
      write_began_ = now;
    }
  }
  if (!stalled) {
    StartWrite(&outgoing_);
    return true;
  }
  auto waits = false;
  if (begin_close({::grpc::StatusCode::UNAVAILABLE, "the client does not read"},
                  waits))
    cancel_write();
  return false;
}

bool stream_reactor::enqueue(::grpc::ByteBuffer& message) {
  const auto bytes = message.Length();
  if (queue_.size() >= limits_.queued_messages_max
      || queued_bytes_ + bytes > limits_.queued_bytes_max)
    return false;
  queue_.emplace_back().Swap(&message);
  queued_bytes_ += bytes;
  return true;
}

bool stream_reactor::begin_close(::grpc::Status status, bool& waits) {
  auto finish = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_)
      return false;
    closing_ = true;
    status_ = std::move(status);
    queue_.clear();
    queued_bytes_ = 0;
    waits = writing_;
    finish = may_finish();
  }
  if (finish)
    Finish(status_);
  return true;
}

void stream_reactor::close(::grpc::Status status) {
  auto waits = false;
  if (!begin_close(std::move(status), waits) || !waits)
    return;
  patience_ = std::make_unique<::grpc::Alarm>();
  patience_->Set(std::chrono::system_clock::now() + write_patience,
                 [self = shared_from_this()](bool) { self->cancel_write(); });
}

void stream_reactor::cancel_write() {
  {
    const std::lock_guard lock(mutex_);
    if (!writing_)
      return;
    cancelling_ = true; // keeps the call alive while it is cancelled
  }
  // Reactions may run inside of it.
  context_.TryCancel();
  auto finish = false;
  {
    const std::lock_guard lock(mutex_);
    cancelling_ = false;
    finish = may_finish();
  }
  if (finish)
    Finish(status_);
}

bool stream_reactor::may_finish() {
  if (!closing_ || writing_ || cancelling_ || finished_)
    return false;
  finished_ = true;
  return true;
}

void stream_reactor::OnReadDone(bool ok) {
  if (!ok) {
    close(::grpc::Status::OK);
    return;
  }
  events_->on_message(incoming_);
  incoming_.Clear();
  StartRead(&incoming_);
}

void stream_reactor::OnWriteDone(bool ok) {
  auto again = false;
  auto finish = false;
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    outgoing_.Clear();
    if (ok && !closing_ && !queue_.empty()) {
      outgoing_.Swap(&queue_.front());
      queue_.pop_front();
      queued_bytes_ -= outgoing_.Length();
      writing_ = true;
      write_began_ = clock::now();
      again = true;
    }
    finish = may_finish();
  }
  if (again)
    StartWrite(&outgoing_);
  else if (finish)
    Finish(status_);
  else if (!ok)
    close({::grpc::StatusCode::UNAVAILABLE, "the stream is broken"});
}

void stream_reactor::OnCancel() {
  auto waits = false; // what is on its way comes back by itself
  begin_close(::grpc::Status::CANCELLED, waits);
}

void stream_reactor::OnDone() {
  if (const auto events = std::exchange(events_, nullptr))
    events->on_end();
  self_.reset(); // may destroy this
}

} // namespace muster::rpc
