#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <caf/scoped_actor.hpp>

#include "tests/unit/runtime/relay.hpp"
#include "tests/unit/runtime/whole_node.hpp"

namespace muster::test {

/// A thousand ports that no other test program uses: they lie below those that
/// the kernel gives to relays and connections, else one of these could get the
/// port of a node that is not there at the moment.
inline unsigned own_ports() {
  constexpr unsigned first = 20'000;
  constexpr unsigned size = 1'000;
  constexpr unsigned programs_max = 12;
  for (unsigned n = 0; n < programs_max; ++n) {
    const auto path = std::filesystem::temp_directory_path()
                      / ("muster-unit-ports-" + std::to_string(n));
    // Held until the program ends.
    const auto lock = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
      return first + n * size;
    if (lock >= 0)
      close(lock);
  }
  FAIL("too many test programs use ports");
  return 0;
}

/// Ports nobody has now, all different.
template <std::size_t Count>
std::array<std::uint16_t, Count> free_ports() {
  static const unsigned first = own_ports();
  static unsigned next = 0;
  std::array<std::uint16_t, Count> ports{};
  std::array<int, Count> held{};
  for (std::size_t i = 0; i < Count; ++i) {
    held[i] = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    do {
      ports[i] = static_cast<std::uint16_t>(first + next++ % 1'000);
      at.sin_port = htons(ports[i]);
    } while (bind(held[i], reinterpret_cast<sockaddr*>(&at), sizeof at) != 0);
  }
  for (const auto fd : held)
    close(fd);
  return ports;
}

/// Three nodes on loopback, each connection by way of a relay of its own.
struct whole_cluster {
  std::vector<std::unique_ptr<whole_node>> nodes;
  /// From a node (first) to another.
  std::map<std::pair<std::size_t, std::size_t>, std::unique_ptr<relay>> links;

  /// `prepare` sees each node before it begins.
  explicit whole_cluster(
      const std::function<void(whole_node&)>& prepare = {},
      const std::function<std::unique_ptr<whole_stores>()>& make_stores = [] {
        return std::make_unique<memory_stores>();
      }) {
    const auto ports = free_ports<3>();
    for (std::size_t i = 0; i < ports.size(); ++i) {
      runtime::cluster_options options;
      const auto member = [&](std::size_t at, std::uint16_t port) {
        return cluster::member{.id = node_id{at + 1},
                               .host = "127.0.0.1",
                               .http_port = ports[at],
                               .cluster_port = port};
      };
      options.address = "127.0.0.1";
      options.self = member(i, ports[i]);
      options.probe_every = 100ms * slowness;
      options.incarnation = "directory-" + std::to_string(i);
      options.times.heartbeat_every = 50ms * slowness;
      options.times.election_after = 300ms * slowness;
      options.times.answer_wait = 1s * slowness;
      options.times.leader_wait = 2s * slowness;
      for (std::size_t other = 0; other < ports.size(); ++other) {
        if (other == i)
          continue;
        const auto& link = links[{i, other}] =
            std::make_unique<relay>(ports[other]);
        options.peers.push_back(member(other, link->port()));
      }
      nodes.push_back(
          std::make_unique<whole_node>(node_id{i + 1}, options, make_stores()));
      if (prepare)
        prepare(*nodes.back());
      nodes.back()->begin();
    }
    for (auto& each : nodes)
      each->wait_serving();
  }

  result<model::outcome> publish(std::size_t at, const config_key& key,
                                 const std::string& content) {
    caf::scoped_actor self{nodes[at]->node->system()};
    return nodes[at]->publish(self, key, content);
  }

  std::string content(std::size_t at, const config_key& key) {
    caf::scoped_actor self{nodes[at]->node->system()};
    return nodes[at]->content(self, key);
  }

  void stop(std::size_t at) { nodes[at]->node.reset(); }
  void restart(std::size_t at) {
    nodes[at]->begin();
    nodes[at]->wait_serving();
  }

  /// Nobody reaches that node, and it reaches nobody.
  void cut(std::size_t at) {
    for (auto& [ends, link] : links)
      if (ends.first == at || ends.second == at)
        link->cut();
  }
  void mend(std::size_t at) {
    for (auto& [ends, link] : links)
      if (ends.first == at || ends.second == at)
        link->mend();
  }
};

} // namespace muster::test
