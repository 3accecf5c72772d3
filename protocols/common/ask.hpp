#pragma once

#include <concepts>
#include <memory>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <caf/actor_cast.hpp>
#include <caf/response_type.hpp>
#include <caf/send.hpp>
#include <caf/typed_actor.hpp>

#include "actors/api/errors.hpp"
#include "actors/api/messages.hpp"
#include "protocols/common/gateway.hpp"

/// How a front-end's coroutine talks to an actor.
namespace muster::common {

namespace detail {

/// The one answer type of `Message` in `Handle`'s interface.
template <class Handle, class Message>
struct answer_of {
  using list = caf::response_type_t<typename Handle::signatures, Message>;
  static_assert(caf::detail::tl_size<list>::value == 1,
                "ask() wants exactly one answer value");
  using type = typename caf::detail::tl_head<list>::type;
};

/// Messages that carry `request_meta` state their own deadline.
template <class Message>
concept has_meta = requires(const Message& m) {
  { m.meta.deadline } -> std::convertible_to<steady_time>;
};

template <class Answer>
result<Answer> take_answer(caf::mailbox_element& element) {
  auto& content = element.content();
  if (content.template match_elements<Answer>()) {
    // Only an unshared message may be moved from.
    if (content.shared())
      return content.template get_as<Answer>(0);
    return std::move(content.template get_mutable_as<Answer>(0));
  }
  if (content.template match_elements<caf::error>())
    return std::unexpected(
        api::from_caf(content.template get_as<caf::error>(0)));
  return fail(errc::internal, "answer of another type than agreed");
}

template <class Answer, class Handler>
class typed_ask final : public pending_ask {
public:
  explicit typed_ask(Handler handler) : handler_(std::move(handler)) {}
  void complete(caf::mailbox_element& answer) override {
    std::move(handler_)(take_answer<Answer>(answer));
  }
  void fail(error why) override {
    std::move(handler_)(result<Answer>{std::unexpected(std::move(why))});
  }

private:
  Handler handler_;
};

template <class Answer, class Handle, class Message, class Handler>
void start_ask(const Handle& target, Message&& message, Handler handler) {
  auto& here = gateway::here();
  auto deadline = here.default_deadline();
  if constexpr (has_meta<Message>) {
    if (message.meta.deadline != steady_time{})
      deadline = message.meta.deadline;
  }
  std::unique_ptr<pending_ask> ask =
      std::make_unique<typed_ask<Answer, Handler>>(std::move(handler));
  if (!target) {
    here.fail_later(std::move(ask),
                    {errc::unavailable, "the actor to ask is not there now"});
    return;
  }
  const auto id = here.enter(std::move(ask), deadline);
  if (!id)
    return;
  caf::actor_cast<caf::abstract_actor*>(target)->enqueue(
      caf::make_mailbox_element(here.self(), *id, {}, std::move(message)),
      nullptr);
}

} // namespace detail

/// Sends `message` to `target` and waits for its typed answer without holding a
/// thread:
///
///     api::publish_instances message{meta, client_id, owner, instances};
///     auto r = co_await ask(slot->actor(), std::move(message));
///
/// Build the message in a statement of its own: GCC 12 destroys a braced
/// aggregate twice when it is written inside a co_await expression.
///
/// Must run on a thread that has a `gateway` (every io_context thread of the
/// front-ends has one). The answer's type follows from the actor's interface.
/// The deadline is `message.meta.deadline`, or the gateway's default if there
/// is none. Never throws. Errors: what the actor answered; `unavailable` if the
/// handle is null or the actor is dead, `deadline_exceeded` when the deadline
/// passed, `resource_exhausted` when this thread's bound of open asks is hit.
template <class Handle, class Message>
auto ask(Handle target, Message message) -> boost::asio::awaitable<
    result<typename detail::answer_of<Handle, Message>::type>> {
  using answer = typename detail::answer_of<Handle, Message>::type;
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>,
                                     void(result<answer>)>(
      [](auto done, Handle to, Message what) {
        detail::start_ask<answer>(to, std::move(what), std::move(done));
      },
      boost::asio::use_awaitable, std::move(target), std::move(message));
}

/// Sends without waiting for an answer (fire and forget). Any thread.
template <class Handle, class Message>
void tell(const Handle& target, Message message) {
  if (target)
    caf::anon_send(target, std::move(message));
}

} // namespace muster::common
