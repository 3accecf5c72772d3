#include "protocols/grpc/queue_loop.hpp"

#include <chrono>
#include <utility>

#include "protocols/grpc/dispatcher.hpp"
#include "protocols/grpc/stream_call.hpp"

namespace muster::rpc {

namespace {

/// So many calls are taken over at a time; others wait in gRPC for a moment.
constexpr int arrivals_per_queue = 64;

/// How late a timer of the io_context may be noticed.
constexpr std::chrono::milliseconds timer_slack(100);

thread_local const queue_loop* running = nullptr;

} // namespace

class queue_loop::arrival final : private step {
public:
  explicit arrival(queue_loop& on) : loop_(on) { wait(); }

private:
  void wait() {
    next_ = std::make_unique<transport>(*loop_.queue_, loop_, loop_.held_);
    loop_.service_.RequestCall(&next_->context, &next_->io, loop_.queue_.get(),
                               loop_.queue_.get(), tag());
  }
  void done(bool ok) override {
    if (!ok) {
      delete this;
      return;
    }
    // First of all: while this call is held the queue is open.
    auto call = std::move(next_);
    wait();
    loop_.calls_.begin(std::move(call));
  }

  queue_loop& loop_;
  std::unique_ptr<transport> next_;
};

queue_loop::queue_loop(std::unique_ptr<::grpc::ServerCompletionQueue> queue,
                       ::grpc::AsyncGenericService& service, dispatcher& calls,
                       call_count& held)
  : queue_(std::move(queue)), service_(service), calls_(calls), held_(held) {
  // nop
}

void queue_loop::open() {
  for (int i = 0; i < arrivals_per_queue; ++i)
    new arrival(*this);
}

void queue_loop::run(boost::asio::io_context& io) {
  running = this;
  auto got = arrived::TIMEOUT;
  while (got != arrived::SHUTDOWN) {
    // Without sleeping at first: whoever posts meanwhile need not wake anybody.
    got = take(gpr_inf_past(GPR_CLOCK_REALTIME));
    if (got == arrived::TIMEOUT && !due_) {
      asleep_ = true;
      if (!due_)
        got = take(std::chrono::system_clock::now() + timer_slack);
      asleep_ = false;
      due_ = due_ || got == arrived::TIMEOUT;
    }
    if (due_.exchange(false)) {
      send_all();
      io.poll();
    }
  }
  running = nullptr;
  io.run();
}

template <class Time>
queue_loop::arrived queue_loop::take(const Time& until) {
  void* over = nullptr;
  auto ok = false;
  const auto got = queue_->AsyncNext(&over, &ok, until);
  if (got == arrived::GOT_EVENT)
    static_cast<step*>(over)->done(ok);
  return got;
}

void queue_loop::wake() {
  // In this order, and looked at by run() in the other: one of both sees it.
  if (due_.exchange(true) || running == this || !asleep_
      || woken_.exchange(true))
    return;
  const std::lock_guard lock(mutex_);
  if (!closed_)
    alarm_.Set(queue_.get(), gpr_time_0(GPR_CLOCK_REALTIME), tag());
}

void queue_loop::add(std::shared_ptr<stream_call> waiting) {
  {
    const std::lock_guard lock(mutex_);
    sending_.push_back(std::move(waiting));
  }
  wake();
}

void queue_loop::send_all() {
  std::vector<std::shared_ptr<stream_call>> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(sending_);
  }
  for (const auto& each : taken)
    each->send_next();
}

void queue_loop::done(bool) {
  woken_ = false;
}

void queue_loop::close() {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(closed_, true))
    queue_->Shutdown();
}

} // namespace muster::rpc
