#include "protocols/nacos/grpc/metrics.hpp"

#include <prometheus/metric_family.h>

namespace muster::nacos::remote {

namespace {

prometheus::ClientMetric counter(const std::string& type, const char* outcome,
                                 std::uint64_t value) {
  prometheus::ClientMetric metric;
  metric.label = {{"type", type}, {"outcome", outcome}};
  metric.counter.value = static_cast<double>(value);
  return metric;
}

} // namespace

call_metrics::call_metrics(std::function<std::size_t()> clients)
  : clients_(std::move(clients)), rows_(message_types().size() + 1) {
  // nop
}

void call_metrics::count(const message_type* type, bool failed) noexcept {
  const auto row = type ? static_cast<std::size_t>(type - message_types().data())
                        : message_types().size();
  auto& counts = rows_[row];
  (failed ? counts.failed : counts.good).fetch_add(1, std::memory_order_relaxed);
}

std::vector<prometheus::MetricFamily> call_metrics::Collect() const {
  prometheus::MetricFamily calls{
    "muster_grpc_requests_total", "unary calls by message type and outcome",
    prometheus::MetricType::Counter, {}};
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    const auto type = row < message_types().size()
                        ? std::string{message_types()[row].name}
                        : std::string{"other"};
    const auto& counts = rows_[row];
    calls.metric.push_back(counter(type, "good", counts.good.load()));
    calls.metric.push_back(counter(type, "failed", counts.failed.load()));
  }
  prometheus::MetricFamily clients{"muster_grpc_clients",
                                   "registered gRPC clients",
                                   prometheus::MetricType::Gauge, {}};
  prometheus::ClientMetric now;
  now.gauge.value = static_cast<double>(clients_());
  clients.metric.push_back(now);
  return {std::move(calls), std::move(clients)};
}

} // namespace muster::nacos::remote
