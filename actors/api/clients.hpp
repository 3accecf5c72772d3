#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <caf/typed_actor.hpp>

#include "actors/api/connection.hpp"
#include "actors/core/cluster/client_balance.hpp"

/// The clients with streams to a node, and moving them to other nodes.
namespace muster::api {

using cluster::node_load;

/// One of them, as operators are shown it.
struct client_row {
  client_info info;
  std::string remote_port;
  std::uint16_t local_port = 0;
  wall_time since{};
  wall_time active{};
};

struct client_counts {
  std::size_t all = 0;
  std::size_t sdks = 0; ///< all but those that say they are servers
};

/// What a front-end lets be done with its streams. Any thread; never blocks.
/// May be asked after the front-end stopped: it has no clients then.
class client_streams {
public:
  virtual ~client_streams() = default;

  virtual client_counts counts() const = 0;
  virtual std::vector<client_row> rows() const = 0;

  /// Asks one client to move to `target` (`host:http_port`; empty = where it
  /// likes). False if there is no such client. It is not cut off if it stays.
  virtual bool reset(std::string_view connection_id,
                     std::string_view target) = 0;

  /// Asks so many SDKs to move that `keep` stay, if all do; to `targets` in
  /// turn (none = where they like). Who was asked in the last seconds counts as
  /// on its way; who never was is asked first. Gives back how many it asked.
  virtual std::size_t shed(std::size_t keep,
                           std::span<const std::string> targets) = 0;
};

/// -> load_survey: what the members carry that answer within a second.
struct survey_loads {
  request_meta meta;
};
struct load_survey {
  std::vector<node_load> rows; ///< by address
  std::size_t members = 0;     ///< there are in the cluster
};

/// -> clients_balanced: nodes with many SDKs were told to send some to nodes
/// with few. To be repeated until it asks nobody: at most a tenth of a node's
/// move at once. `unavailable` if a node did not do what it was told.
struct balance_clients {
  request_meta meta;
  double factor = 0.1; ///< how far from the average nodes may be, 0…1
};
struct clients_balanced {
  std::size_t asked = 0;
};

/// Spreads clients over the nodes. One per node.
using balancer_actor =
    caf::typed_actor<caf::replies_to<survey_loads>::with<load_survey>,
                     caf::replies_to<balance_clients>::with<clients_balanced>>;

} // namespace muster::api

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::api::survey_loads)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::api::load_survey)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::api::balance_clients)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::api::clients_balanced)
