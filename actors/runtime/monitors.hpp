#pragma once

#include <unordered_set>

#include <caf/actor.hpp>
#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/local_actor.hpp>

namespace muster::runtime {

/// Whom an actor monitors, each once. A monitor stays until its target dies or
/// the owner ends: targets come back (a gateway waits for one long poll after
/// the other), and ending a monitor costs a walk through all of a target's.
class monitors {
public:
  explicit monitors(caf::local_actor* self) : self_(self) {}
  ~monitors() {
    for (const auto& a : watched_)
      self_->demonitor(a);
  }
  monitors(const monitors&) = delete;

  template <class Handle>
  void add(const Handle& target) {
    const auto address = target.address();
    if (watched_.insert(address).second)
      self_->monitor(address);
  }

  void remove(const caf::actor_addr& target) {
    if (watched_.erase(target) > 0)
      self_->demonitor(target);
  }

  /// A down message came from it.
  void gone(const caf::actor_addr& target) { watched_.erase(target); }

private:
  caf::local_actor* self_;
  std::unordered_set<caf::actor_addr> watched_;
};

} // namespace muster::runtime
