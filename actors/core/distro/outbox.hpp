#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/distro/wire.hpp"
#include "muster/peer.pb.h"

namespace muster::distro {

/// A message that is ready to go; several nodes may share its body.
struct outgoing {
  node_id to;
  std::shared_ptr<const std::string> body; ///< a DistroMessage
};

/// Collects what is said to other nodes into messages of bounded size.
class outbox {
public:
  outbox(std::uint64_t boot, std::size_t bytes_max)
      : boot_(boot), bytes_max_(bytes_max) {}

  /// A message to `to` that still has room; valid until the next call.
  pb::DistroMessage& direct(node_id to, std::size_t bytes) {
    auto& d = direct_[to];
    if (d.bytes > 0 && d.bytes + bytes > bytes_max_)
      seal(to, d);
    d.bytes += bytes;
    return d.message;
  }

  /// One body for all of them.
  void broadcast(const std::vector<node_id>& to, pb::DistroMessage message) {
    message.set_boot(boot_);
    auto body =
        std::make_shared<const std::string>(message.SerializeAsString());
    for (const auto each : to)
      ready_.push_back({each, body});
  }

  std::vector<outgoing> take() {
    for (auto& [to, d] : direct_)
      seal(to, d);
    direct_.clear();
    return std::exchange(ready_, {});
  }

private:
  struct collected {
    pb::DistroMessage message;
    std::size_t bytes = 0;
  };

  void seal(node_id to, collected& d) {
    broadcast({to}, std::move(d.message));
    d = {};
  }

  std::uint64_t boot_;
  std::size_t bytes_max_;
  std::map<node_id, collected> direct_;
  std::vector<outgoing> ready_;
};

} // namespace muster::distro
