#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>

#include <caf/response_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/api/errors.hpp"
#include "actors/api/messages.hpp"
#include "protocols/common/gateway.hpp"

/// How a front-end's coroutine talks to an actor.
namespace muster::common {

/// Sends `message` to `target` and waits for its typed answer without holding a
/// thread: `auto r = co_await ask(slot->actor(), publish_instances{…});`
///
/// Must run on a thread that has a `gateway` (every io_context thread of the
/// front-ends has one). The answer's type follows from the actor's interface.
/// Never throws. Errors: what the actor answered; `unavailable` if the handle
/// is null or the actor is dead, `deadline_exceeded` when `message.meta.deadline`
/// passed, `resource_exhausted` when this thread's bound of open asks is hit.
template <class Handle, class Message>
auto ask(Handle target, Message message)
  -> boost::asio::awaitable<result<typename caf::response_type<
    typename Handle::signatures, Message>::type>>;

} // namespace muster::common
