#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <caf/actor_companion.hpp>
#include <caf/actor_system.hpp>

#include "actors/api/messages.hpp"

/// The bridge between one io_context thread and the actors.
namespace muster::common {

/// One per io_context thread; found by `gateway::here()`. It is an actor that
/// runs on no scheduler: what actors send to it is queued and handled on the
/// io_context's thread, one post per burst, so an answer costs no extra hop.
/// All members are for that one thread.
class gateway {
public:
  gateway(boost::asio::io_context& io, caf::actor_system& system,
          const clock& time);
  ~gateway();
  gateway(const gateway&) = delete;

  /// The gateway of the calling thread; an invariant if there is none.
  static gateway& here();

  boost::asio::io_context& io() noexcept;
  const clock& time() const noexcept;

  /// The handle that watched actors notify (`api::watcher::target`).
  caf::actor handle() const;

  /// A place where notifications arrive; while it lives, `token()` is routed to
  /// it. Move-only, destroyed on this thread.
  class inbox;
  std::unique_ptr<inbox> open_inbox();

private:
  struct impl;
  friend struct ask_access;
  std::unique_ptr<impl> impl_;
};

/// Notifications for one waiting coroutine (a long poll, a blocking query).
class gateway::inbox {
public:
  virtual ~inbox() = default;
  virtual std::uint64_t token() const noexcept = 0;
  /// Waits until a notification came, `until` passed or `wake()` was called.
  /// Notifications that came before the call count.
  virtual boost::asio::awaitable<void> wait(steady_time until) = 0;
  /// Ends a wait (the client has gone).
  virtual void wake() = 0;
  /// What came since the last call, oldest first, at most `capacity`; then the
  /// oldest are kept and `overflowed()` is set: compare everything anew.
  virtual std::vector<api::config_fired> take_configs() = 0;
  virtual std::vector<api::service_fired> take_services() = 0;
  /// The watched actor died: watch anew.
  virtual bool take_lost() = 0;
};

} // namespace muster::common
