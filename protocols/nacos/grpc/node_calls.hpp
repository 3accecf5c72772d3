#pragma once

#include <memory>

#include <boost/asio/awaitable.hpp>

#include "muster/command.pb.h"
#include "protocols/common/ask.hpp"
#include "protocols/nacos/grpc/message_table.hpp"

/// What handlers ask of the node. On an io_context thread; never throws.
///
/// A message that is asked is always a named local that is moved in: GCC 12
/// copies an aggregate that is made inside of a co_await expression bit by bit,
/// short strings with pointers into themselves included.
namespace muster::nacos::remote {

using boost::asio::awaitable;
using common::ask;

/// The config as this node has it applied; null if there is none.
awaitable<result<config_snapshot_ptr>> load_config(request& r, key_view key);

/// Proposes to the partition of (namespace, group). An outcome that is not `ok`
/// comes back as error.
awaitable<result<model::outcome>>
change_config(request& r, key_view key,
              std::shared_ptr<const pb::Command> command);

/// Sends a change of the service's durable part through the service's actor,
/// which is started if it is not there.
awaitable<result<model::outcome>>
change_service(request& r, const service_key& key,
               std::shared_ptr<const pb::Command> command);

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
