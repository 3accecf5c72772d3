#include "protocols/common/io_pool.hpp"

#include <algorithm>
#include <future>
#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "actors/core/base/invariant.hpp"

namespace muster::common {

namespace asio = boost::asio;

thread_local io_pool::worker* io_pool::here_ = nullptr;

struct io_pool::worker {
  using guard = asio::executor_work_guard<asio::io_context::executor_type>;

  worker(io_pool& p, const settings& s, caf::actor_system& system,
         const clock& time, loop* l)
      : pool(p), gate(io, system, time, s.gate, l), runner(l),
        work(guard{io.get_executor()}) {
    // nop
  }

  void run() {
    gate.enter_thread();
    here_ = this;
    for (bool again = true; again;) {
      try {
        if (runner)
          runner->run(io);
        else
          io.run();
        again = false;
      } catch (...) {
        pool.exceptions_.fetch_add(1, std::memory_order_relaxed);
      }
    }
    gate.leave_thread();
    ended.set_value();
  }

  template <class F>
  void post(F f) {
    asio::post(io, std::move(f));
    if (runner)
      runner->wake();
  }

  io_pool& pool;
  /// One thread runs it: asio keeps to its cheaper paths.
  asio::io_context io{1};
  gateway gate; ///< destroyed before `io`, whose frames may wait in it
  loop* const runner;
  std::optional<guard> work;
  std::promise<void> ended;
  std::thread thread;
};

io_pool::io_pool(settings s, caf::actor_system& system, const clock& time) {
  if (s.loops.empty()) {
    const auto threads =
        s.threads != 0 ? s.threads
                       : std::max(1u, std::thread::hardware_concurrency());
    s.loops.assign(threads, nullptr);
  }
  for (auto* each : s.loops)
    workers_.push_back(std::make_unique<worker>(*this, s, system, time, each));
}

io_pool::~io_pool() {
  stop(milliseconds{0});
}

void io_pool::start() {
  running_ = true;
  for (auto& w : workers_)
    w->thread = std::thread([w = w.get()] { w->run(); });
}

void io_pool::stop(milliseconds grace) {
  if (!std::exchange(running_, false))
    return;
  for (auto& w : workers_) {
    w->post([w = w.get()] {
      w->gate.close();
      w->work.reset();
    });
  }
  const auto until = std::chrono::steady_clock::now() + grace;
  for (auto& w : workers_) {
    if (w->ended.get_future().wait_until(until) != std::future_status::ready)
      w->io.stop();
    w->thread.join();
  }
}

std::size_t io_pool::size() const noexcept {
  return workers_.size();
}

asio::io_context& io_pool::io(std::size_t index) noexcept {
  return workers_[index]->io;
}

gateway& io_pool::gate(std::size_t index) noexcept {
  return workers_[index]->gate;
}

std::size_t io_pool::next() noexcept {
  return turn_.fetch_add(1, std::memory_order_relaxed) % workers_.size();
}

void io_pool::spawn(std::size_t index,
                    std::function<asio::awaitable<void>()> coroutine) {
  spawn(*workers_[index], std::move(coroutine));
}

void io_pool::spawn_here(std::function<asio::awaitable<void>()> coroutine) {
  MUSTER_INVARIANT(here_ != nullptr, "spawn_here() on no pool's thread");
  here_->pool.spawn(*here_, std::move(coroutine));
}

void io_pool::spawn(worker& on,
                    std::function<asio::awaitable<void>()> coroutine) {
  asio::co_spawn(on.io, std::move(coroutine),
                 [this](std::exception_ptr thrown) {
                   if (thrown)
                     exceptions_.fetch_add(1, std::memory_order_relaxed);
                 });
  if (on.runner)
    on.runner->wake();
}

std::uint64_t io_pool::exceptions() const noexcept {
  return exceptions_.load(std::memory_order_relaxed);
}

} // namespace muster::common
