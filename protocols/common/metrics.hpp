#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

/// What is counted, and how it gets out.
namespace muster::common {

/// Where all parts of the process enter what they can be asked for. Any thread.
class metrics_registry {
public:
  /// Asked at each scrape while the other owners keep it alive.
  void add(std::weak_ptr<prometheus::Collectable> source);
  /// A value that is read at scrape time. `type` is "gauge" or "counter";
  /// `read` must be callable on any thread for as long as the registry lives.
  void add_value(std::string name, std::string help, std::string_view type,
                 std::function<double()> read);
  /// All of it in Prometheus' text format (version 0.0.4).
  std::string text() const;

private:
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<prometheus::Collectable>> sources_;
  std::vector<std::shared_ptr<prometheus::Collectable>> own_;
};

/// Times and counts of requests by table row and status.
///
/// One shard per thread: only its thread writes to it (plain relaxed stores, no
/// locked instruction), a scrape adds the shards up. Exports
/// `http_server_requests_seconds_{count,sum}` and `…_max` as Spring's actuator
/// names them, and the histogram `muster_http_request_seconds` per row.
class request_metrics : public prometheus::Collectable {
public:
  /// What the labels of one row are.
  struct row_labels {
    std::string method;
    std::string uri;
    std::string product;
  };
  request_metrics(std::vector<row_labels> rows, std::size_t shards);
  ~request_metrics() override;

  /// `shard`'s own thread only. Rows beyond the table go under uri "UNKNOWN".
  void record(std::size_t shard, std::size_t row, unsigned status,
              std::chrono::nanoseconds took) noexcept;
  /// Requests counted so far under a row and status. Any thread.
  std::uint64_t count(std::size_t row, unsigned status) const;

  std::vector<prometheus::MetricFamily> Collect() const override;

private:
  struct cell;
  struct cells;
  /// Sum of all shards under one row and status.
  struct total {
    unsigned status = 0;
    std::uint64_t count = 0;
    std::uint64_t sum_ns = 0;
    std::uint64_t max_ns = 0;
  };
  std::vector<total> totals_of(std::size_t row) const;
  void collect_row(std::size_t index, prometheus::MetricFamily& times,
                   prometheus::MetricFamily& longest,
                   prometheus::MetricFamily& buckets) const;
  void turn_window() const;

  std::vector<row_labels> rows_; ///< the last one is "UNKNOWN"
  std::vector<std::unique_ptr<cells>> shards_;
  /// Counts the windows that `…_max` is taken over.
  mutable std::atomic<std::uint32_t> window_{0};
  mutable std::mutex mutex_;
  mutable std::chrono::steady_clock::time_point window_start_;
};

} // namespace muster::common
