#include "actors/api/members.hpp"

#include <algorithm>

#include "actors/core/base/invariant.hpp"

namespace muster::api {

std::string member::address() const {
  return host + ":" + std::to_string(http_port);
}

const member* member_list::find(node_id id) const {
  const auto found = std::ranges::find(all, id, &member::id);
  return found != all.end() ? &*found : nullptr;
}

const member& member_list::own() const {
  const auto* found = find(self);
  MUSTER_INVARIANT(found != nullptr, "a node is in its own list of members");
  return *found;
}

std::string_view name_of(member_state state) {
  switch (state) {
  case member_state::starting:
    return "STARTING";
  case member_state::up:
    return "UP";
  case member_state::suspicious:
    return "SUSPICIOUS";
  case member_state::down:
    return "DOWN";
  case member_state::draining:
    return "ISOLATION";
  }
  return "DOWN";
}

} // namespace muster::api
