#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message_id.hpp>

#include "actors/api/actors.hpp"
#include "actors/api/messages.hpp"
#include "protocols/common/http_types.hpp"
#include "protocols/common/loop.hpp"

/// The bridge between one io_context thread and the actors.
namespace muster::common {

/// An open `ask`, as the gateway's table sees it. Exactly one of the members
/// is called, once, on the gateway's thread.
class pending_ask {
public:
  virtual ~pending_ask() = default;
  virtual void complete(caf::mailbox_element& answer) = 0;
  virtual void fail(error why) = 0;
};

/// One per io_context thread; found by `gateway::here()`. It is an actor that
/// runs on no scheduler: what actors send to it is queued and handled on the
/// io_context's thread, one post per burst, so an answer costs no extra hop.
/// Owned by `io_pool`. Members are for that one thread, but for `handle()`.
class gateway {
public:
  struct settings {
    /// Open asks of this thread; more are refused as `resource_exhausted`.
    std::size_t asks_max = 50'000;
    /// How late an answer's deadline may be noticed, at most twice this.
    milliseconds sweep{20};
    /// For messages that carry no `request_meta`.
    milliseconds default_timeout{5000};
  };

  /// `runner` runs `io`; null if nothing but `io.run()` does.
  gateway(boost::asio::io_context& io, caf::actor_system& system,
          const clock& time, settings s, loop* runner = nullptr);
  gateway(boost::asio::io_context& io, caf::actor_system& system,
          const clock& time);
  ~gateway();
  gateway(const gateway&) = delete;
  gateway& operator=(const gateway&) = delete;

  /// The gateway of the calling thread; an invariant if there is none.
  static gateway& here();
  /// Makes this the calling thread's gateway (`io_pool` does).
  void enter_thread();
  void leave_thread();

  boost::asio::io_context& io() noexcept;
  const clock& time() const noexcept;
  /// `now` + the default timeout.
  steady_time default_deadline() const;

  /// The handle that watched actors notify (`api::watcher::target`).
  caf::actor handle() const;

  /// Asks that wait for their answer, and inboxes that are open.
  std::size_t open_asks() const noexcept;
  std::size_t open_inboxes() const noexcept;

  /// A place where notifications arrive; while it lives, `token()` is routed to
  /// it. Destroyed on this thread; it may outlive the gateway.
  class inbox;
  std::unique_ptr<inbox> open_inbox();

  /// Fails all open asks with `unavailable`, wakes all inboxes and refuses what
  /// is asked later. For the ordered stop.
  void close();

  // -- for ask.hpp ------------------------------------------------------------

  /// Enters an ask into the table. The request id to send, or nothing if the
  /// table is full or closed; then the ask fails soon with the reason.
  std::optional<caf::message_id> enter(std::unique_ptr<pending_ask> ask,
                                       steady_time deadline);
  /// Fails an ask from the io_context, not from within the caller: a loop over
  /// failing asks must not nest.
  void fail_later(std::unique_ptr<pending_ask> ask, error why);
  const caf::strong_actor_ptr& self() const noexcept;

private:
  struct impl;
  class inbox_impl;
  std::shared_ptr<impl> impl_;
};

/// Notifications for one waiting coroutine (a long poll, a blocking query).
/// The watches made through it are undone when it is destroyed.
///
///     auto inbox = gateway::here().open_inbox();
///     co_await inbox->watch(group, ids);   // register first, compare second
///     co_await inbox->wait(until, ctx.client);
class gateway::inbox {
public:
  virtual ~inbox() = default;
  virtual std::uint64_t token() const noexcept = 0;

  /// Registers for changes of these configs and monitors the group's actor.
  virtual boost::asio::awaitable<result<api::done>>
  watch(api::config_group_actor group, std::vector<std::string> data_ids) = 0;
  /// Registers for changes of a service; gives its view as of then.
  virtual boost::asio::awaitable<result<naming::service_view_ptr>>
  watch(api::service_actor service) = 0;

  /// Waits until a notification came, a watched actor died, `until` passed,
  /// the client closed, the gateway was closed or `wake()` was called. What
  /// came before the call and was not taken counts. One waiter at a time.
  virtual boost::asio::awaitable<void> wait(steady_time until,
                                            http::client_link& client) = 0;
  /// The same without a client to look at (streams).
  virtual boost::asio::awaitable<void> wait(steady_time until) = 0;
  /// Ends the current or the next wait.
  virtual void wake() = 0;

  /// What came since the last call, oldest first. At most `capacity` are kept;
  /// beyond that they are dropped and `take_overflow()` is true: compare
  /// everything anew.
  virtual std::vector<std::shared_ptr<const api::config_fired>>
  take_configs() = 0;
  virtual std::vector<std::shared_ptr<const api::service_fired>>
  take_services() = 0;
  virtual bool take_overflow() = 0;
  /// A watched actor died: take a new handle and watch anew.
  virtual bool take_lost() = 0;

  static constexpr std::size_t capacity = 256;
};

} // namespace muster::common
