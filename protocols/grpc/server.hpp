#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "actors/core/base/result.hpp"
#include "protocols/common/loop.hpp"
#include "protocols/grpc/call.hpp"

/// A gRPC listener that knows no product: calls are dispatched by method path to
/// handlers that take and give bytes.
namespace muster::rpc {

/// Bounds of what the server has to send on one stream.
struct stream_limits {
  std::size_t queued_messages_max = 1024;
  std::size_t queued_bytes_max = 8U << 20U;
  /// A client that takes nothing for so long is given up.
  std::chrono::milliseconds stalled_after{30'000};
};

/// Pings, the server's own and its clients'.
struct keepalive {
  std::chrono::milliseconds every{2 * 60 * 60 * 1000};
  /// A connection that does not answer for so long is closed.
  std::chrono::milliseconds timeout{20'000};
  /// A client that pings more often without data is told so and its connection
  /// closed (ENHANCE_YOUR_CALM); 0 = as often as it likes.
  std::chrono::milliseconds client_min{0};
};

struct server_settings {
  std::string address = "0.0.0.0";
  std::uint16_t port = 0; ///< 0 = any free one, see `server::port()`
  /// Larger messages are refused by gRPC itself (RESOURCE_EXHAUSTED).
  std::size_t message_bytes_max = 4U << 20U;
  /// Bound of all buffers of all connections.
  std::size_t memory_bytes_max = 1U << 30U;
  /// Calls open at a time on one connection.
  int connection_calls_max = 1'000;
  /// Completion queues, each to be run by a thread of its own.
  unsigned threads = std::max(2U, std::thread::hardware_concurrency());
  /// Unary calls being worked on; more are refused (RESOURCE_EXHAUSTED).
  std::size_t calls_max = 50'000;
  stream_limits streams;
  keepalive pings;
};

/// Handlers by HTTP/2 path ("/Service/method"). Unknown paths are answered
/// UNIMPLEMENTED.
using method_table
  = std::unordered_map<std::string, std::variant<unary_handler, stream_handler>>;

/// A listener. Clients may ping also without calls, and as often as they like
/// if `keepalive` says nothing else.
class server {
public:
  /// Binds; serves as soon as its loops are run. `unavailable` if the port
  /// cannot be bound.
  static result<std::unique_ptr<server>> start(server_settings settings,
                                               method_table methods);
  /// Stops at once if `stop` was not called.
  ~server();
  server(const server&) = delete;

  std::uint16_t port() const noexcept;

  /// What has to be run, each on a thread of its own, from soon after the start
  /// until `stop` has come back. Handlers are called there. Owned by the server.
  std::vector<common::loop*> loops() const;

  /// Takes no new calls, waits `grace` for those that run, then cancels them and
  /// returns when all are over. Not from a loop's thread. Idempotent.
  void stop(std::chrono::milliseconds grace);

private:
  struct impl;
  explicit server(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace muster::rpc
