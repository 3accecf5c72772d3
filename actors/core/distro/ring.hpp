#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/base/ids.hpp"
#include "actors/core/naming/publication.hpp"

/// Ephemeral clients in a cluster: which node is responsible for one, and how
/// every node comes to know all of them.
namespace muster::distro {

/// A member of the cluster, as far as distro cares.
struct peer {
  node_id id;
  /// Names it for everybody (`host:port`).
  std::string address;
  std::uint64_t boot = 0; ///< 0: never seen
  bool down = false;
  /// It may be responsible for heart-beat clients.
  bool takes_clients = true;
};

/// The members at one moment. Immutable, any thread.
class ring {
public:
  ring(node_id self, std::vector<peer> all);

  /// Who hears the beats of this client: for the same members the same on every
  /// node; when members come or go, few clients move (rendezvous hashing). This
  /// node itself if nobody takes clients.
  node_id responsible(std::string_view client_id) const noexcept;

  /// Whether that very process may still be there. One of a member that was
  /// never seen may.
  bool may_live(const naming::node_life& owner) const noexcept;

  node_id self() const noexcept { return self_; }
  const std::vector<peer>& all() const noexcept { return all_; }
  const peer* find(node_id id) const noexcept;

private:
  struct candidate {
    node_id id;
    std::uint64_t hash = 0;
  };

  node_id self_;
  std::vector<peer> all_;
  std::vector<candidate> candidates_;
};

using ring_ptr = std::shared_ptr<const ring>;

} // namespace muster::distro
