#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "muster/command.pb.h"
#include "protocols/common/ask.hpp"
#include "protocols/common/route.hpp"
#include "protocols/nacos/http/answers.hpp"

/// What handlers of all versions ask of the node. All of these run on the
/// request's io_context thread and never throw.
namespace muster::nacos {

using boost::asio::awaitable;
using common::context;

// -- config -------------------------------------------------------------------

/// The config as this node has it applied; null if there is none.
awaitable<result<config_snapshot_ptr>> load_config(context& c, key_view key);

/// Proposes to the partition of (namespace, group). An outcome that is not `ok`
/// comes back as error.
awaitable<result<model::outcome>>
change_config(context& c, key_view key,
              std::shared_ptr<const pb::Command> command);

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

/// Sends a change of a service's durable part through the service's actor.
awaitable<result<model::outcome>>
change_service(context& c, const service_key& key, pb::Command command);

/// A command with the time filled in.
pb::Command stamped(context& c);
void set_key(pb::ServiceKey& out, const service_key& key);

/// Visible instance at (cluster, ip, port), disabled ones too. 404 with Java's
/// two texts.
or_error<naming::hosted_ptr> find_host(const naming::service_view* view,
                                       const service_key& key,
                                       std::string_view ip, std::uint16_t port,
                                       std::string_view cluster);

} // namespace muster::nacos
