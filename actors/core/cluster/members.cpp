#include "actors/core/cluster/members.hpp"

#include <algorithm>
#include <utility>

#include "actors/core/base/hash.hpp"
#include "actors/core/base/invariant.hpp"

namespace muster::cluster {

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

member_list_ptr alone(member self) {
  const auto id = self.id;
  return std::make_shared<const member_list>(
      member_list{.self = id, .all = {std::move(self)}});
}

node_id id_of(std::string_view host, std::uint16_t http_port) {
  const auto hash = fnv1a(std::string(host) + ":" + std::to_string(http_port));
  return node_id{hash != 0 ? hash : 1};
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

} // namespace muster::cluster
