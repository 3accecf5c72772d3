#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "actors/core/base/ids.hpp"

namespace muster::sim {

/// The ways between nodes, each direction by itself. Whoever is not named here
/// is whole.
class links {
public:
  enum class fault : std::uint8_t {
    cut,     ///< what is sent is lost
    clogged, ///< what is sent waits
  };

  void stop(node_id from, node_id to, fault how) { broken_[{from, to}] = how; }
  void stop_both(node_id a, node_id b, fault how) {
    stop(a, b, how);
    stop(b, a, how);
  }
  void restore(node_id from, node_id to) { broken_.erase({from, to}); }
  void restore_both(node_id a, node_id b) {
    restore(a, b);
    restore(b, a);
  }
  void restore_all() { broken_.clear(); }

  /// Nobody hears it, and it hears nobody.
  void isolate(node_id lonely, const std::vector<node_id>& nodes) {
    for (const auto other : nodes)
      if (other != lonely)
        stop_both(lonely, other, fault::cut);
  }
  void rejoin(node_id lonely, const std::vector<node_id>& nodes) {
    for (const auto other : nodes)
      restore_both(lonely, other);
  }

  bool is(fault how, node_id from, node_id to) const {
    const auto found = broken_.find({from, to});
    return found != broken_.end() && found->second == how;
  }

private:
  std::map<std::pair<node_id, node_id>, fault> broken_;
};

} // namespace muster::sim
