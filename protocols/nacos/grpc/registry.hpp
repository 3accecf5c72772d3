#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/base/clock.hpp"
#include "protocols/nacos/grpc/client.hpp"

namespace muster::nacos::remote {

/// Which client is behind a transport. gRPC names a transport by its peer text
/// only; all calls of one TCP connection have the same, and a later connection
/// may get it again, so an entry goes when the client's stream ends.
///
/// Any thread. Bounded: registered clients by the node's connection limit, ids
/// given to transports without a stream by `promised_max`, oldest first out.
/// Source: nacos-grpc 1.4, 3.1, 3.2.
class registry {
public:
  /// Ids promised to transports that have not set up a client yet.
  static constexpr std::size_t promised_max = 65'536;

  registry();
  ~registry();
  registry(const registry&) = delete;

  /// `<ms>_<ip>_<port>`: stays the same until the transport's client ends, and
  /// is handed to that client; clients may ask before or after their set-up.
  std::string id_of(std::string_view peer, wall_time now);

  /// Makes `one` the client of its transport; gives back the one before.
  std::shared_ptr<client> add(std::shared_ptr<client> one);
  /// Takes `one` out unless a newer client has its place.
  void remove(const client& one);

  std::shared_ptr<client> find(std::string_view peer) const;
  std::shared_ptr<client> find_id(std::string_view connection_id) const;
  std::vector<std::shared_ptr<client>> all() const;
  std::size_t size() const;

  /// Blocks until there is no client; false if there still are after `at_most`.
  bool wait_empty(milliseconds at_most) const;

private:
  struct shard;
  static constexpr std::size_t shard_count = 64;
  shard& shard_of(std::string_view peer) const;
  std::unique_ptr<std::array<shard, shard_count>> shards_;
  /// Taken before a shard's, never with one held.
  mutable std::mutex waiting_;
  mutable std::condition_variable one_less_;
};

/// Address and port of gRPC's peer text (`ipv4:1.2.3.4:80`, `ipv6:%5B::1%5D:80`).
struct peer_address {
  std::string ip;
  std::string port;
};
peer_address parse_peer(std::string_view peer);

} // namespace muster::nacos::remote
