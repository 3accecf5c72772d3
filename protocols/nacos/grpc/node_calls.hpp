#pragma once

#include "protocols/common/node_calls.hpp"
#include "protocols/nacos/grpc/message_table.hpp"

/// What handlers ask on behalf of a request.
namespace muster::nacos::remote {

using boost::asio::awaitable;
using common::ask;

inline common::asker asker_of(const request& r) {
  return {r.node, r.meta};
}

/// Asks the actor of the client. If that is gone, so is everything it held for
/// the client: the stream is ended, so that the client comes back and does its
/// work anew.
template <class Message>
auto ask_client(request& r, Message message)
  -> decltype(ask(r.from.actor(), std::move(message))) {
  auto answer = co_await ask(r.from.actor(), std::move(message));
  if (!answer && answer.error().code == errc::unavailable)
    r.from.close("the server lost this connection's state");
  co_return answer;
}

} // namespace muster::nacos::remote
