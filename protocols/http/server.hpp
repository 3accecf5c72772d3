#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "actors/api/node.hpp"
#include "protocols/common/auth_gate.hpp"
#include "protocols/common/io_pool.hpp"
#include "protocols/common/limits.hpp"
#include "protocols/common/metrics.hpp"
#include "protocols/common/route.hpp"

/// The HTTP/1.1 front-end. Source: RFC 9110, RFC 9112.
namespace muster::http {

struct server_settings {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 8848; ///< 0 = one that is free
  http::limits limits;
  common::auth_switches auth;
  /// Compatibility gates by `common::gate`; false = the route answers 410.
  std::array<bool, common::gate_count> gates{true, true, true, true};
};

/// A listener on every thread of the pool (SO_REUSEPORT), its sessions, and the
/// way from a request to a row of the products' tables.
///
/// Owned by the node. `pool`, `node`, `metrics` and the tables must outlive it.
/// start and stop from one thread. Keep-alive and pipelining; answers in the
/// order of the requests; one request of a connection is worked on at a time.
class server {
public:
  server(server_settings settings, api::node& node, common::io_pool& pool,
         std::span<const common::product> products,
         std::shared_ptr<common::metrics_registry> metrics);
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Binds and accepts. `failed_precondition` if the address is taken or bad.
  result<void> start();
  /// Stops accepting, closes idle connections, lets requests that were accepted
  /// finish (held ones are woken as if their client had gone), then closes the
  /// rest after `grace`. Idempotent.
  void stop(milliseconds grace = milliseconds{5000});

  /// The port bound; 0 before `start`.
  std::uint16_t port() const noexcept;
  std::size_t connections() const noexcept;
  /// Requests whose handler runs, held ones included.
  std::size_t requests_open() const noexcept;
  /// Bytes of bodies accounted for; 0 when nothing is in work.
  std::size_t body_bytes_open() const noexcept;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace muster::http
