#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <prometheus/collectable.h>

namespace muster::nacos::udp {

/// What happens to pushes and acknowledgements.
enum class happened : std::uint8_t {
  sent,         ///< datagrams given to the kernel, repeated ones too
  failed,       ///< datagrams that the kernel did not take
  too_long,     ///< views that no datagram holds
  acknowledged, ///< datagrams
  retried,      ///< of those sent: for the second time
  given_up,     ///< datagrams never acknowledged
  ack_ignored,  ///< datagrams received that acknowledge nothing
  refused,      ///< polls that were not subscribed: a bound was reached
};
inline constexpr std::size_t happenings = 8;

/// Counts for a scrape: `muster_udp_push_total{event}` and
/// `muster_udp_subscriptions`. One thread writes, any thread reads.
class counts final : public prometheus::Collectable {
public:
  void add(happened what, std::size_t n = 1) noexcept {
    events_[static_cast<std::size_t>(what)].fetch_add(
        n, std::memory_order_relaxed);
  }
  void set_subscriptions(std::size_t n) noexcept {
    subscriptions_.store(n, std::memory_order_relaxed);
  }
  std::uint64_t of(happened what) const noexcept {
    return events_[static_cast<std::size_t>(what)].load(
        std::memory_order_relaxed);
  }
  std::size_t subscriptions() const noexcept {
    return subscriptions_.load(std::memory_order_relaxed);
  }

  std::vector<prometheus::MetricFamily> Collect() const override;

private:
  std::array<std::atomic<std::uint64_t>, happenings> events_{};
  std::atomic<std::size_t> subscriptions_{0};
};

} // namespace muster::nacos::udp
