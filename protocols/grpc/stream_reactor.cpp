#include "protocols/grpc/stream_reactor.hpp"

#include <utility>

namespace muster::rpc {

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
  if (stalled)
    close({::grpc::StatusCode::UNAVAILABLE, "the client does not read"});
  else
    StartWrite(&outgoing_);
  return !stalled;
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

void stream_reactor::close(::grpc::Status status) {
  auto finish = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_)
      return;
    closing_ = true;
    status_ = std::move(status);
    queue_.clear();
    queued_bytes_ = 0;
    cancelling_ = writing_;
    finish = may_finish();
  }
  if (finish) {
    Finish(status_);
    return;
  }
  // `cancelling_` keeps the call alive; reactions may run inside of TryCancel.
  context_.TryCancel();
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
  close(::grpc::Status::CANCELLED);
}

void stream_reactor::OnDone() {
  if (const auto events = std::exchange(events_, nullptr))
    events->on_end();
  self_.reset(); // may destroy this
}

} // namespace muster::rpc
