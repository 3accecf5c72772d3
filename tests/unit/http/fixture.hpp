#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "protocols/http/server.hpp"
#include "tests/unit/http/fake_node.hpp"
#include "tests/unit/http/raw_client.hpp"

/// A server on a free port with a small table of routes.
namespace muster::test {

/// What the handlers of the table saw.
struct seen {
  std::atomic<int> calls{0};
  std::atomic<int> gone{0};
  std::atomic<int> holding{0};
};
seen& what_was_seen();

std::span<const common::product> products();

/// Limits with short time-outs.
http::limits quick_limits();

class running_server {
public:
  explicit running_server(http::server_settings s = quick_settings(),
                          std::size_t threads = 2);
  ~running_server();

  static http::server_settings quick_settings();

  std::uint16_t port() const { return server->port(); }
  raw_client client() const { return raw_client{port()}; }

  fake_node node;
  std::shared_ptr<common::metrics_registry> metrics =
      std::make_shared<common::metrics_registry>();
  common::io_pool pool;
  std::unique_ptr<http::server> server;
};

/// Waits until `condition` holds, at most 5 s.
inline bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  while (std::chrono::steady_clock::now() < until) {
    if (condition())
      return true;
    std::this_thread::yield();
  }
  return condition();
}

} // namespace muster::test
