#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/base/ids.hpp"
#include "actors/core/naming/view.hpp"

/// What one client published to one service, as nodes of a cluster tell each
/// other.
namespace muster::naming {

/// Of heart-beat clients' ids: `<ip>:<port>#true`. Others are connections.
inline constexpr std::string_view heart_beat_suffix = "#true";

inline bool lives_by_beats(std::string_view client_id) {
  return client_id.ends_with(heart_beat_suffix);
}

/// A node's process, from its start to its end.
struct node_life {
  node_id node;
  std::uint64_t boot = 0;
  auto operator<=>(const node_life&) const = default;
};

/// Whose a publication is, and which of its states this is. Of two states the
/// greater one counts, on every node.
struct origin {
  /// Rises with each change, whoever makes it.
  std::uint64_t revision = 0;
  /// Who has the client's connection, or hears its beats and decides on them.
  node_life owner;
  /// The owner took it over and has not heard of the client since.
  bool taken = false;
  auto operator<=>(const origin&) const = default;
};

/// What beats, or their absence, made of a client's instances.
enum class beat_health : std::uint8_t { as_registered, sick, healed };

/// Immutable; content is shared with the service's views.
struct publication {
  std::shared_ptr<const service_key> service;
  std::string client_id;
  origin from;
  beat_health health = beat_health::as_registered;
  /// Of a removal: the client asked for it, so it counts whoever owned it.
  bool asked = false;
  std::vector<instance_ptr> instances; ///< none: it is removed

  bool removed() const { return instances.empty(); }
};

using publication_ptr = std::shared_ptr<const publication>;

/// What a view of a node in a cluster shows, as it was published.
std::vector<publication_ptr> publications_of(const service_view& view);

/// Where a node's revisions come from: greater than every one that was given or
/// seen before, and near the time of day in milliseconds, so that they rise
/// across restarts of the process. Any thread.
class revision_clock {
public:
  std::uint64_t next() noexcept { return last_.fetch_add(1) + 1; }
  std::uint64_t last() const noexcept { return last_.load(); }

  /// A revision of another node, or the time of day.
  void observe(std::uint64_t seen) noexcept {
    auto last = last_.load();
    while (last < seen && !last_.compare_exchange_weak(last, seen)) {
    }
  }

private:
  std::atomic<std::uint64_t> last_{0};
};

/// What a service needs to share its publications with other nodes.
struct sharing {
  node_life self;
  revision_clock& revisions;
};

} // namespace muster::naming
