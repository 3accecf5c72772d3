#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "actors/core/base/clock.hpp"

/// What one listener takes in at most, and how long it waits. Every bound here
/// has a refusal that the client sees and a counter
/// (`muster_http_refused_total`).
namespace muster::http {

struct limits {
  std::size_t connections_max = 100'000;       ///< above: 503 and close
  std::size_t connections_per_ip_max = 50'000; ///< above: 503 and close
  std::size_t requests_max = 20'000; ///< in work, held ones not counted: 503
  std::size_t held_max = 100'000;    ///< long polls held: 503
  /// Bodies being received or worked on, all connections together: 503.
  std::size_t body_bytes_total_max = 512u << 20;
  std::size_t body_bytes_default = 1u << 20; ///< routes that state none: 413
  std::size_t body_bytes_max = 32u << 20;    ///< of any route: 413
  /// Request line and headers together: 431, or 414 if the line alone is
  /// longer.
  std::size_t head_bytes_max = 64u << 10;
  std::size_t headers_max = 100; ///< 431
  /// Bytes waiting to be sent to one client before its next pipelined request
  /// is looked at.
  std::size_t out_bytes_max = 256u << 10;

  milliseconds head_timeout{10'000}; ///< first byte to end of head: 408
  milliseconds body_timeout{30'000}; ///< without any byte of the body: 408
  milliseconds body_total_timeout{300'000}; ///< the whole body: 408
  milliseconds write_timeout{30'000};       ///< without any byte taken: close
  milliseconds idle_timeout{90'000};        ///< between requests: close
  /// `request_meta::deadline` of ordinary and of long-poll routes.
  milliseconds request_deadline{5'000};
  milliseconds long_poll_deadline{130'000};
};

} // namespace muster::http

namespace muster::common {

/// A bounded count shared by all threads: take before work, give back after.
class permits {
public:
  explicit permits(std::size_t max) : max_(max) {}
  permits(const permits&) = delete;
  permits& operator=(const permits&) = delete;

  /// False, and nothing taken, if that would go beyond the bound.
  bool take(std::size_t n = 1) noexcept;
  void give(std::size_t n = 1) noexcept;
  std::size_t in_use() const noexcept {
    return used_.load(std::memory_order_relaxed);
  }
  std::size_t max() const noexcept { return max_; }

private:
  const std::size_t max_;
  std::atomic<std::size_t> used_{0};
};

/// Permits per key (a client's address). Any thread.
class keyed_permits {
public:
  explicit keyed_permits(std::size_t max_per_key);
  ~keyed_permits();
  bool take(std::string_view key);
  void give(std::string_view key);
  /// Keys that hold at least one.
  std::size_t keys() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace muster::common
