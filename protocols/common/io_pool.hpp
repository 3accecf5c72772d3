#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "protocols/common/gateway.hpp"

/// The threads that front-ends run on.
namespace muster::common {

/// One io_context, one thread and one gateway each. Owned by the node (HTTP) or
/// by a front-end whose library brings its own loops (gRPC); must outlive every
/// front-end that uses it, and be stopped before the actor system goes.
/// Thread-safe but for start/stop.
class io_pool {
public:
  struct settings {
    std::size_t threads = 0; ///< 0 = one per core
    gateway::settings gate = {};
    /// If any, they run the io_contexts, one thread each; `threads` is not used.
    /// They must outlive the pool, and their own events end before its stop.
    std::vector<loop*> loops = {};
  };
  io_pool(settings s, caf::actor_system& system, const clock& time);
  ~io_pool();
  io_pool(const io_pool&) = delete;
  io_pool& operator=(const io_pool&) = delete;

  void start();
  /// Front-ends are to be stopped first. Fails open asks with `unavailable`,
  /// wakes inboxes, gives coroutines `grace` to end, then stops the threads.
  /// Idempotent.
  void stop(milliseconds grace = milliseconds{1000});

  std::size_t size() const noexcept;
  boost::asio::io_context& io(std::size_t index) noexcept;
  gateway& gate(std::size_t index) noexcept;
  /// Round robin.
  std::size_t next() noexcept;

  /// Runs a coroutine on the thread `index`; callable from any thread. What it
  /// throws is counted (`exceptions()`) and dropped: a bug, never a dead
  /// thread.
  void spawn(std::size_t index,
             std::function<boost::asio::awaitable<void>()> coroutine);
  void spawn(std::function<boost::asio::awaitable<void>()> coroutine) {
    spawn(next(), std::move(coroutine));
  }
  /// On the calling thread, which is one of some pool's.
  static void spawn_here(std::function<boost::asio::awaitable<void>()> coroutine);
  std::uint64_t exceptions() const noexcept;

private:
  struct worker;
  void spawn(worker& on,
             std::function<boost::asio::awaitable<void>()> coroutine);

  static thread_local worker* here_; ///< whose thread this is
  std::vector<std::unique_ptr<worker>> workers_;
  std::atomic<std::size_t> turn_{0};
  std::atomic<std::uint64_t> exceptions_{0};
  bool running_ = false;
};

} // namespace muster::common
