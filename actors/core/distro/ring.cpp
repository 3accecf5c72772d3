#include "actors/core/distro/ring.hpp"

#include <algorithm>
#include <utility>

#include "actors/core/base/hash.hpp"

namespace muster::distro {

ring::ring(node_id self, std::vector<peer> all)
    : self_(self), all_(std::move(all)) {
  for (const auto& p : all_)
    if (p.takes_clients && !p.down)
      candidates_.push_back({p.id, stable_hash(p.address)});
}

node_id ring::responsible(std::string_view client_id) const noexcept {
  const auto hash = stable_hash(client_id);
  node_id best = self_;
  std::uint64_t most = 0;
  for (const auto& c : candidates_) {
    const auto weight = mix(hash ^ c.hash);
    if (weight >= most) {
      most = weight;
      best = c.id;
    }
  }
  return best;
}

bool ring::may_live(const naming::node_life& owner) const noexcept {
  const auto* p = find(owner.node);
  return p && !p->down && (p->boot == 0 || p->boot == owner.boot);
}

const peer* ring::find(node_id id) const noexcept {
  const auto found = std::ranges::find(all_, id, &peer::id);
  return found != all_.end() ? &*found : nullptr;
}

} // namespace muster::distro
