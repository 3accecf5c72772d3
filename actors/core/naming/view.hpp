#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/base/render_cache.hpp"
#include "actors/core/model/keys.hpp"

/// What readers see of a service: immutable, shared, never locked.
namespace muster::naming {

using metadata_map = std::map<std::string, std::string, std::less<>>;

/// An instance as registered. Immutable once published.
struct instance {
  std::string ip; ///< any text without blanks; host names pass
  std::uint16_t port = 0;
  double weight = 1.0; ///< passed on, never used by the server
  bool healthy = true;
  bool enabled = true; ///< false: hidden from clients' lists
  bool ephemeral = true;
  std::string cluster{default_cluster};
  std::string instance_id; ///< never empty once published
  metadata_map metadata;
  std::string app;
  bool operator==(const instance&) const = default;
};

using instance_ptr = std::shared_ptr<const instance>;

struct origin;
using origin_ptr = std::shared_ptr<const origin>;

/// An instance in a service's list: who published it, and the values to show
/// after health and operator overrides were laid over the registered ones.
struct hosted_instance {
  /// What readers get; the same object as `registered` where nothing differs.
  instance_ptr shown;
  /// As registered (instance id and defaults filled in); overrides are laid
  /// over it anew when they change.
  instance_ptr registered;
  /// `<ip>:<port>#true` for heart-beat clients, `…#false` for persistent ones,
  /// the connection id for stream clients.
  std::string client_id;
  /// Whose it is (publication.hpp); null on a node that stands alone, and for
  /// persistent instances.
  origin_ptr from{};
};

using hosted_ptr = std::shared_ptr<const hosted_instance>;

/// The durable part of a service: definition by hand, clusters' settings.
struct service_definition {
  bool by_hand = false; ///< protection and selector apply
  bool ephemeral = true;
  double protect_threshold = 0;
  metadata_map metadata;
  std::string selector; ///< JSON text; empty = none
  struct cluster {
    std::string health_checker; ///< JSON text
    std::uint32_t check_port = 80;
    bool use_instance_port = true;
    metadata_map metadata;
  };
  std::map<std::string, cluster, std::less<>> clusters;
};

/// A service as of one moment, complete: an actor that takes over after a crash
/// starts from the last published one.
struct service_view {
  service_key key;
  /// Rises with every publication and never falls, not across restarts of the
  /// actor or the process either. What blocking queries wait on.
  std::uint64_t version = 0;
  /// Milliseconds since 1970, strictly rising per service (`max(now, last+1)`):
  /// clients drop pushes that are not newer.
  std::uint64_t last_ref_ms = 0;
  service_definition definition;
  /// Whether a kind was fixed yet (first registration or definition).
  bool kind_fixed = false;
  /// All instances, disabled ones and doubles included, sorted by (cluster, ip,
  /// port, client id).
  std::vector<hosted_ptr> hosts;
  render_cache rendered;
};

using service_view_ptr = std::shared_ptr<const service_view>;

/// What a reader wants of a service.
struct selection {
  std::string_view clusters; ///< comma list; blank = all
  bool healthy_only = false;
  bool with_disabled = false;
};

/// The hosts that a selection shows.
struct selected {
  std::vector<hosted_ptr> hosts;
  /// Protection fired: all of `hosts` are to be shown as healthy.
  bool protect = false;
};

/// Applies Nacos' order: cluster, enabled, healthyOnly, then protection (only
/// for services made by hand: healthy/total <= threshold shows all as healthy).
/// Of hosts that are equal in every field only the first is shown.
selected select(const service_view& view, const selection& wanted);

} // namespace muster::naming
