#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/base/clock.hpp"
#include "actors/core/base/ids.hpp"

/// Who is in the cluster, as one node sees it.
namespace muster::cluster {

/// `suspicious`: not heard of for a moment; it keeps what it is responsible
/// for. `down`: others take over. `draining`: it serves, and gives away what it
/// has.
enum class member_state : std::uint8_t {
  starting,
  up,
  suspicious,
  down,
  draining
};

struct member {
  node_id id;
  std::string host{};
  std::uint16_t http_port = 8848; ///< the main port: names the member
  std::uint16_t sdk_port = 9848;
  std::uint16_t cluster_port = 9849;
  member_state state = member_state::starting;
  /// Drawn at each start of its process; 0 = never seen.
  std::uint64_t boot = 0;
  std::string version{}; ///< of Muster; empty = never seen
  std::string datacenter{};
  std::string region{};
  std::string zone{};
  /// Partitions, except 0, that it shows from tables of its own, in order.
  std::vector<std::uint64_t> shows{};
  /// Tries to reach it that failed since the last one that did not.
  std::uint32_t failures = 0;
  wall_time changed{}; ///< when `state` did

  /// `host:http_port`
  std::string address() const;
};

/// Immutable; replaced as a whole. Sorted by address, so that all nodes that
/// see the same members see them in the same order.
struct member_list {
  std::uint64_t version = 0; ///< rises with each change that this node sees
  node_id self;
  std::vector<member> all; ///< with this node itself

  const member* find(node_id id) const;
  const member& own() const;
};
using member_list_ptr = std::shared_ptr<const member_list>;

/// A node that stands alone.
member_list_ptr alone(member self);

/// The id of the node with that main address: the same wherever it is
/// computed, never 0. FNV-1a, 64 bits, as its authors publish it.
node_id id_of(std::string_view host, std::uint16_t http_port);

/// UP, SUSPICIOUS, …: as Nacos writes them.
std::string_view name_of(member_state state);

} // namespace muster::cluster
