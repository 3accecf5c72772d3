#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/async_generic_service.h>

namespace muster::rpc {

/// What waits in a completion queue: `done` is called on the queue's one thread
/// when the step that was begun with this as its tag is over.
class step {
public:
  virtual void done(bool ok) = 0;
  /// What gRPC is given: the address of this base, wherever in the object it is.
  void* tag() noexcept { return this; }

protected:
  ~step() = default;
};

/// How many calls are held, those waited for included.
using call_count = std::atomic<std::size_t>;

class stream_call;

/// Takes streams whose next message is to be sent by the thread of their queue:
/// gRPC sends on the thread that asks for it, and wakes the queue's thread for
/// the end of it unless that is the same one.
class senders {
public:
  virtual void add(std::shared_ptr<stream_call> waiting) = 0;

protected:
  ~senders() = default;
};

/// gRPC's side of one call, and the queue all its steps come back through.
struct transport {
  transport(::grpc::ServerCompletionQueue& q, senders& s, call_count& all)
    : queue(q), sending(s), held(all) {
    held.fetch_add(1, std::memory_order_relaxed);
  }
  ~transport() {
    if (held.fetch_sub(1, std::memory_order_acq_rel) == 1)
      held.notify_all();
  }
  transport(const transport&) = delete;

  ::grpc::ServerCompletionQueue& queue;
  senders& sending;
  call_count& held;
  ::grpc::GenericServerContext context;
  ::grpc::GenericServerAsyncReaderWriter io{&context};
};

} // namespace muster::rpc
