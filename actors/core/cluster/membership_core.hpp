#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/core/cluster/members.hpp"

/// Which members of the cluster live, judged by probes.
namespace muster::cluster {

/// What a member says about itself, with each answer to a probe.
struct member_facts {
  std::uint64_t boot = 0;
  std::string version{};
  std::uint16_t sdk_port = 0;
  std::string datacenter{};
  std::string region{};
  std::string zone{};
  bool serving = false;
  bool draining = false;
  /// Partitions, except 0, that it shows from tables of its own, in order.
  std::vector<std::uint64_t> shows{};
  bool operator==(const member_facts&) const = default;
};

/// Owned by the membership actor; not thread-safe. A member is `starting` until
/// it was first heard and serves, `suspicious` after one probe without an
/// answer, `down` after `failures_max` in a row (Nacos'
/// core.member.fail-access-cnt).
class membership_core {
public:
  /// `all` with the node itself.
  membership_core(node_id self, std::vector<member> all,
                  std::uint32_t failures_max, wall_time now);

  /// Who they are now; of those that stay it is kept what is known. With the
  /// node itself.
  void set_members(std::vector<member> all, wall_time now);

  /// A member answered. Unknown ones are ignored, here and below.
  void heard(node_id from, const member_facts& facts, wall_time now);

  /// A member did not answer, or could not be reached.
  void missed(node_id from, wall_time now);

  /// Null if nothing changed since the last call.
  member_list_ptr take_change();

private:
  member* find(node_id id);
  void enter(member& m, member_state state, wall_time now);

  member_list list_;
  std::uint32_t failures_max_;
  bool changed_ = true;
};

} // namespace muster::cluster
