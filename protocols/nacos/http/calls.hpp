#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <boost/asio/awaitable.hpp>

#include "muster/command.pb.h"
#include "protocols/common/node_calls.hpp"
#include "protocols/common/route.hpp"
#include "protocols/nacos/http/answers.hpp"
#include "protocols/nacos/http/parts.hpp"

/// What handlers of all versions ask of the node. All of these run on the
/// request's io_context thread and never throw.
namespace muster::nacos {

using boost::asio::awaitable;
using common::context;

inline common::asker asker_of(context& c) {
  return {c.node, c.request.meta};
}

inline std::shared_ptr<const pb::Command> share(pb::Command command) {
  return std::make_shared<const pb::Command>(std::move(command));
}

// -- naming -------------------------------------------------------------------

/// The newest view, or null if nobody knows the service.
naming::service_view_ptr view_of(context& c, const key_view& key);

/// Whether Nacos would say that a service exists: registered once or made by
/// hand (a mere subscription makes none).
bool exists(const naming::service_view* view) noexcept;

/// Registers; answers once readers of this node see it.
awaitable<or_error<void>> register_instance(context& c, service_key key,
                                            naming::instance instance);

/// Takes an instance away by address and kind; nothing there is fine.
awaitable<or_error<void>> remove_instance(context& c, service_key key,
                                          std::string_view ip,
                                          std::uint16_t port, bool ephemeral);

/// Renews; registers `full` if the client is unknown and it is given.
awaitable<or_error<api::beat_answer>>
beat(context& c, service_key key, std::string_view ip, std::uint16_t port,
     std::optional<naming::instance> full);

/// A command with the time filled in.
pb::Command stamped(context& c);

/// Visible instance at (cluster, ip, port), disabled ones too. 404 with Java's
/// two texts.
or_error<naming::hosted_ptr> find_host(const naming::service_view* view,
                                       const service_key& key,
                                       std::string_view ip, std::uint16_t port,
                                       std::string_view cluster);

} // namespace muster::nacos
