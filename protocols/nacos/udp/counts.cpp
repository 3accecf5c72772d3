#include "protocols/nacos/udp/counts.hpp"

#include <string_view>
#include <utility>

#include <prometheus/metric_family.h>

namespace muster::nacos::udp {

namespace {

/// In the order of `happened`.
constexpr std::array<std::string_view, happenings> words{
    "sent",    "failed",   "too_long",    "acknowledged",
    "retried", "given_up", "ack_ignored", "refused"};

} // namespace

std::vector<prometheus::MetricFamily> counts::Collect() const {
  using prometheus::ClientMetric;
  prometheus::MetricFamily events{"muster_udp_push_total",
                                  "UDP pushes to clients of Nacos 1.x",
                                  prometheus::MetricType::Counter,
                                  {}};
  for (std::size_t i = 0; i < happenings; ++i) {
    ClientMetric one;
    one.label = {{"event", std::string{words[i]}}};
    one.counter.value =
        static_cast<double>(events_[i].load(std::memory_order_relaxed));
    events.metric.push_back(std::move(one));
  }
  ClientMetric now;
  now.gauge.value = static_cast<double>(subscriptions());
  return {std::move(events),
          {"muster_udp_subscriptions",
           "Services that clients are told of over UDP",
           prometheus::MetricType::Gauge,
           {std::move(now)}}};
}

} // namespace muster::nacos::udp
