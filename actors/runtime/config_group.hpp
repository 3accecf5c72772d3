#pragma once

#include <string>

#include <caf/fwd.hpp>

#include "actors/api/actors.hpp"
#include "actors/runtime/context.hpp"
#include "actors/runtime/namespace.hpp"

namespace muster::runtime {

/// What a config group works with.
struct config_group_parts {
  node_context& node;
  std::string space;
  std::string group;
  namespace_actor parent;
};

/// Fans out changes of the configs of one (namespace, group). Enter it in
/// `node.owners` before anybody may watch. The caller monitors it.
api::config_group_actor spawn_config_group(caf::actor_system& system,
                                           config_group_parts parts);

} // namespace muster::runtime
