#include "protocols/http/core.hpp"

#include <string>
#include <utility>

#include <prometheus/metric_family.h>

namespace muster::http {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily gauge(std::string name, std::string help, std::size_t value) {
  ClientMetric m;
  m.gauge.value = static_cast<double>(value);
  return {std::move(name), std::move(help), MetricType::Gauge, {std::move(m)}};
}

} // namespace

server_core::server_core(server_settings s, api::node& n, common::io_pool& p,
                         std::span<const common::product> products)
    : settings(std::move(s)), node(n), pool(p),
      site(products, settings.auth, settings.gates, node),
      metrics(
          std::make_shared<common::request_metrics>(site.labels(), p.size())),
      connections(settings.limits.connections_max),
      addresses(settings.limits.connections_per_ip_max),
      body_bytes(settings.limits.body_bytes_total_max), counts(p.size()) {
  // nop
}

std::vector<MetricFamily> server_core::Collect() const {
  MetricFamily refused{"muster_http_refused_total",
                       "Requests and connections refused by a limit or rule",
                       MetricType::Counter,
                       {}};
  const auto add = [&](std::string reason, std::uint64_t n) {
    ClientMetric m;
    m.label = {{"reason", std::move(reason)}};
    m.counter.value = static_cast<double>(n);
    refused.metric.push_back(std::move(m));
  };
  add("connections", connections_refused_.load(std::memory_order_relaxed));
  for (std::size_t i = 0; i < refused_.size(); ++i)
    add(std::to_string(common::status_of(static_cast<common::refusal_kind>(i))),
        refused_[i].load(std::memory_order_relaxed));
  return {
      gauge("muster_http_connections", "Open connections",
            connections.in_use()),
      gauge("muster_http_requests_in_work", "Requests being worked on",
            in_work()),
      gauge("muster_http_requests_held", "Long polls being held", held()),
      gauge("muster_http_body_bytes", "Bytes of request bodies in memory",
            body_bytes.in_use()),
      std::move(refused),
  };
}

std::size_t server_core::in_work() const noexcept {
  std::size_t n = 0;
  for (const auto& c : counts)
    n += c.in_work.load(std::memory_order_relaxed);
  return n;
}

std::size_t server_core::held() const noexcept {
  std::size_t n = 0;
  for (const auto& c : counts)
    n += c.held.load(std::memory_order_relaxed);
  return n;
}

void server_core::left() {
  if (connections.in_use() != 0)
    return;
  // The lock keeps the wake-up from falling between test and wait.
  { const std::lock_guard lock(mutex_); }
  empty_.notify_all();
}

bool server_core::wait_empty(milliseconds at_most) {
  std::unique_lock lock(mutex_);
  return empty_.wait_for(lock, at_most,
                         [this] { return connections.in_use() == 0; });
}

} // namespace muster::http
