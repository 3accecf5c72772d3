#pragma once

#include <memory>

#include <boost/asio/awaitable.hpp>

#include "actors/api/node.hpp"
#include "muster/command.pb.h"
#include "protocols/common/ask.hpp"

/// What every product's handlers ask of the node. On a thread with a gateway;
/// never throws.
///
/// A message that is asked is always a named local that is moved in: see
/// ask.hpp.
namespace muster::common {

using boost::asio::awaitable;

/// On whose behalf: both live until the coroutine that was given them ends.
struct asker {
  api::node& node;
  const api::request_meta& meta; ///< deadline and trace of the request
};

/// The config as this node has it applied; null if there is none.
awaitable<result<config_snapshot_ptr>> load_config(asker by, key_view key);

/// Proposes to a partition. An outcome that is not `ok` comes back as error.
awaitable<result<model::outcome>>
propose(asker by, partition_id to, std::shared_ptr<const pb::Command> command);

/// Proposes to the partition of (namespace, group).
awaitable<result<model::outcome>>
change_config(asker by, key_view key,
              std::shared_ptr<const pb::Command> command);

/// Asks the service's actor; `make` builds the message anew for each try. An
/// actor that has just gone did nothing, so the second try goes to the one that
/// `open_service` starts. All messages sent this way may be done twice.
template <class Make>
auto ask_service(asker by, const service_key& key, Make make)
    -> decltype(ask(api::service_actor{}, make())) {
  if (const auto slot = by.node.services().find(key.view())) {
    auto answer = co_await ask(slot->actor(), make());
    if (answer || answer.error().code != errc::unavailable)
      co_return answer;
  }
  api::open_service open{by.meta, key};
  const auto opened = co_await ask(by.node.namespaces(), std::move(open));
  if (!opened)
    co_return std::unexpected(opened.error());
  co_return co_await ask(opened->slot->actor(), make());
}

/// Sends a change of the service's durable part through the service's actor,
/// which is started if it is not there.
awaitable<result<model::outcome>>
change_service(asker by, const service_key& key,
               std::shared_ptr<const pb::Command> command);

} // namespace muster::common
