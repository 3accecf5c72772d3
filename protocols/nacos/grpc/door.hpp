#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <prometheus/collectable.h>

#include "actors/api/clients.hpp"
#include "actors/api/node.hpp"
#include "protocols/common/auth_gate.hpp"
#include "protocols/common/io_pool.hpp"
#include "protocols/grpc/server.hpp"
#include "protocols/nacos/codec/request_rules.hpp"
#include "protocols/nacos/grpc/fuzzy_limits.hpp"

namespace muster::nacos::remote {

struct door_settings {
  std::string address = "0.0.0.0";
  std::uint16_t port = 9848; ///< 0 = any free one
  /// Bound of a request, JSON escapes counted as what they stand for: a content
  /// of that size arrives however much of it had to be escaped (nacos-grpc 1.3).
  std::size_t message_bytes_max = 10U << 20U;
  std::size_t memory_bytes_max = 1U << 30U; ///< all buffers of all connections
  std::size_t calls_max = 50'000;
  /// Bytes of requests being worked on, all clients together.
  std::size_t bytes_max = 512U << 20U;
  rpc::stream_limits streams;
  rpc::keepalive keepalive;
  fuzzy_bounds fuzzy_configs;
  fuzzy_bounds fuzzy_services;
  milliseconds request_timeout{5'000};
  common::auth_switches auth;
  request_rules rules;
};

/// Nacos' gRPC port for SDKs. A request is decoded on the thread of its
/// connection's completion queue; what is in memory is answered at once,
/// everything else by a coroutine on the same thread.
///
/// Owned by the node's wiring; the node and its actor system must outlive it.
/// All members are for any thread but the door's own.
class door {
public:
  /// Binds and serves. `unavailable` if the port cannot be bound.
  static result<std::unique_ptr<door>>
  open(api::node& node, caf::actor_system& system, door_settings settings);
  /// Stops at once if `stop` was not called.
  ~door();
  door(const door&) = delete;

  std::uint16_t port() const noexcept;
  /// Registered clients.
  std::size_t clients() const;
  /// What this door counts, for the metrics registry. Dies with the door.
  std::shared_ptr<prometheus::Collectable> metrics() const;

  /// The clients, to be moved to other nodes. May outlive the door.
  std::shared_ptr<api::client_streams> streams() const;
  /// Blocks until all clients have gone by themselves, at most so long.
  void wait_empty(milliseconds at_most) const;

  /// Ends all streams, finishes what was accepted within `grace`, then cancels
  /// the rest. Idempotent.
  void stop(milliseconds grace);

private:
  struct impl;
  explicit door(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace muster::nacos::remote
