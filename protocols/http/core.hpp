#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <prometheus/collectable.h>

#include "actors/api/node.hpp"
#include "protocols/common/io_pool.hpp"
#include "protocols/common/limits.hpp"
#include "protocols/common/metrics.hpp"
#include "protocols/http/server.hpp"
#include "protocols/http/site.hpp"

/// What all threads of one server share.
namespace muster::http {

inline constexpr std::size_t refusal_kinds =
    static_cast<std::size_t>(common::refusal_kind::busy) + 1;

/// Kept alive by the server and by each session. Thread-safe.
class server_core final : public prometheus::Collectable {
public:
  server_core(server_settings s, api::node& n, common::io_pool& p,
              std::span<const common::product> products);

  std::vector<prometheus::MetricFamily> Collect() const override;

  void count_refusal(common::refusal_kind kind) noexcept {
    refused_[static_cast<std::size_t>(kind)].fetch_add(
        1, std::memory_order_relaxed);
  }
  void count_connection_refused() noexcept {
    connections_refused_.fetch_add(1, std::memory_order_relaxed);
  }

  /// A session has ended.
  void left();
  /// Waits until no connection is open; false if that took longer.
  bool wait_empty(milliseconds at_most);

  const server_settings settings;
  api::node& node;
  common::io_pool& pool;
  const http::site site;
  const std::shared_ptr<common::request_metrics> metrics;
  /// What handlers may show; set once, before the first session.
  std::shared_ptr<const common::metrics_registry> registry;
  common::permits connections;
  common::keyed_permits addresses;
  common::permits body_bytes;
  /// By thread; each is written by its thread only.
  struct alignas(64) thread_counts {
    std::atomic<std::size_t> in_work{
        0}; ///< handler runs, held ones not counted
    std::atomic<std::size_t> held{0};
  };
  std::vector<thread_counts> counts;
  std::size_t in_work() const noexcept;
  std::size_t held() const noexcept;

private:
  std::array<std::atomic<std::uint64_t>, refusal_kinds> refused_{};
  std::atomic<std::uint64_t> connections_refused_{0};
  std::mutex mutex_;
  std::condition_variable empty_;
};

} // namespace muster::http
