#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <prometheus/collectable.h>

#include "protocols/nacos/grpc/message_table.hpp"

namespace muster::nacos::remote {

/// Counts unary calls by message type and outcome, and tells how many clients
/// are registered: `muster_grpc_requests_total{type,outcome}` and
/// `muster_grpc_clients`. Any thread.
class call_metrics final : public prometheus::Collectable {
public:
  /// `clients` is called at each scrape.
  explicit call_metrics(std::function<std::size_t()> clients);

  /// `type` is null for what is in no table (ServerCheck, unknown types).
  void count(const message_type* type, bool failed) noexcept;

  std::vector<prometheus::MetricFamily> Collect() const override;

private:
  struct alignas(64) row_counts {
    std::atomic<std::uint64_t> good{0};
    std::atomic<std::uint64_t> failed{0};
  };
  const std::function<std::size_t()> clients_;
  /// One per row of the table, and one for the rest.
  std::vector<row_counts> rows_;
};

} // namespace muster::nacos::remote
