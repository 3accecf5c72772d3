#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "actors/core/base/ids.hpp"
#include "tests/sim/raft/links.hpp"
#include "tests/sim/raft/random.hpp"

/// Whoever breaks the links between nodes by a plan (reliability.md, S4).
namespace muster::sim {

enum class adversary_kind : std::uint8_t {
  /// One partition by chance, of several kinds.
  torn,
  /// Stops links one by one, restores them in another order.
  swizzle,
  /// Cuts off one node after the other.
  rolling,
  /// Two halves, and one node that sees both.
  bridge,
  /// The same, and who sees both wants the leader to be in one of the halves.
  misplacing,
  /// Cuts off whoever leads, again and again.
  flapping,
  /// The leader is heard and hears nobody.
  deaf,
};

/// Nothing for a name that is none.
std::optional<adversary_kind> adversary_named(std::string_view name);

/// What it sees of the world.
struct battlefield {
  std::uint64_t now;
  const std::vector<node_id>& nodes;
  node_id leader; ///< 0 = none
};

/// One episode: it is made when that begins and goes when it is over; whoever
/// owns it restores all links then.
class adversary {
public:
  virtual ~adversary() = default;

  /// Called at each step, until it is over.
  virtual void act(const battlefield& at, links& ways, random& chance) = 0;
  virtual bool is_over(std::uint64_t now) const = 0;
  /// Whether a majority hears each other all the time, of whom one can lead for
  /// good: then writes have to go on during the episode, too.
  virtual bool leaves_majority() const { return false; }
  /// To whom all leaders are to hand over, as they are told again and again; 0
  /// = nobody.
  virtual node_id wanted_leader() const { return {}; }
  /// How often it has taken something from a leader, so that another one is
  /// needed.
  std::uint64_t blows() const noexcept { return blows_; }

protected:
  std::uint64_t blows_ = 0;
};

std::unique_ptr<adversary>
make_adversary(adversary_kind kind, const battlefield& at, random& chance);

} // namespace muster::sim
