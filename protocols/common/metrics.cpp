#include "protocols/common/metrics.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <utility>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace muster::common {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class read_value final : public prometheus::Collectable {
public:
  read_value(std::string name, std::string help, MetricType type,
             std::function<double()> read)
      : name_(std::move(name)), help_(std::move(help)), type_(type),
        read_(std::move(read)) {
    // nop
  }
  std::vector<MetricFamily> Collect() const override {
    ClientMetric metric;
    (type_ == MetricType::Counter ? metric.counter.value : metric.gauge.value) =
        read_();
    return {MetricFamily{name_, help_, type_, {std::move(metric)}}};
  }

private:
  const std::string name_, help_;
  const MetricType type_;
  const std::function<double()> read_;
};

/// One thread writes, others read: no locked instruction is needed.
template <class T>
void bump(std::atomic<T>& a, T by) noexcept {
  a.store(a.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

constexpr std::array<double, 12> bucket_bounds{
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0};

std::string_view outcome_of(unsigned status) noexcept {
  return status < 200   ? "INFORMATIONAL"
         : status < 300 ? "SUCCESS"
         : status < 400 ? "REDIRECTION"
         : status < 500 ? "CLIENT_ERROR"
                        : "SERVER_ERROR";
}

double seconds(std::uint64_t ns) noexcept {
  return static_cast<double>(ns) / 1e9;
}

/// `…_max` is over this window and the one before it, as Micrometer's is.
constexpr std::chrono::seconds max_window{60};

} // namespace

void metrics_registry::add(std::weak_ptr<prometheus::Collectable> source) {
  const std::lock_guard lock(mutex_);
  sources_.push_back(std::move(source));
}

void metrics_registry::add_value(std::string name, std::string help,
                                 std::string_view type,
                                 std::function<double()> read) {
  auto source = std::make_shared<read_value>(
      std::move(name), std::move(help),
      type == "counter" ? MetricType::Counter : MetricType::Gauge,
      std::move(read));
  const std::lock_guard lock(mutex_);
  own_.push_back(source);
  sources_.push_back(source);
}

std::string metrics_registry::text() const {
  std::vector<MetricFamily> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& weak : sources_)
      if (const auto source = weak.lock())
        std::ranges::move(source->Collect(), std::back_inserter(all));
  }
  std::ostringstream out;
  prometheus::TextSerializer{}.Serialize(out, all);
  return std::move(out).str();
}

// -- request_metrics
// -----------------------------------------------------------

struct request_metrics::cell {
  /// Statuses seen under one row; beyond that they are counted as the last.
  static constexpr std::size_t statuses = 8;
  struct by_status {
    std::atomic<unsigned> status{0}; ///< 0: unused
    std::atomic<std::uint64_t> count{0};
    std::atomic<std::uint64_t> sum_ns{0};
    std::atomic<std::uint64_t> max_ns{0};
    std::atomic<std::uint64_t> max_before_ns{0};
    std::atomic<std::uint32_t> window{0};
  };
  std::array<by_status, statuses> seen;
  std::array<std::atomic<std::uint64_t>, bucket_bounds.size() + 1> buckets{};
};

struct request_metrics::cells {
  explicit cells(std::size_t rows) : by_row(rows) {}
  std::vector<cell> by_row;
};

request_metrics::request_metrics(std::vector<row_labels> rows,
                                 std::size_t shards)
    : rows_(std::move(rows)), window_start_(std::chrono::steady_clock::now()) {
  rows_.push_back({"UNKNOWN", "UNKNOWN", "none"});
  for (std::size_t i = 0; i < shards; ++i)
    shards_.push_back(std::make_unique<cells>(rows_.size()));
}

request_metrics::~request_metrics() = default;

void request_metrics::record(std::size_t shard, std::size_t row,
                             unsigned status,
                             std::chrono::nanoseconds took) noexcept {
  auto& c = shards_[shard]->by_row[std::min(row, rows_.size() - 1)];
  const auto ns =
      static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0));
  auto* slot = &c.seen.front();
  for (; slot != &c.seen.back(); ++slot) {
    const auto known = slot->status.load(std::memory_order_relaxed);
    if (known == status || known == 0)
      break;
  }
  if (slot->status.load(std::memory_order_relaxed) == 0)
    slot->status.store(status, std::memory_order_relaxed);
  bump(slot->count, std::uint64_t{1});
  bump(slot->sum_ns, ns);
  const auto window = window_.load(std::memory_order_relaxed);
  if (const auto old = slot->window.load(std::memory_order_relaxed);
      old != window) {
    slot->max_before_ns.store(
        old + 1 == window ? slot->max_ns.load(std::memory_order_relaxed) : 0,
        std::memory_order_relaxed);
    slot->max_ns.store(0, std::memory_order_relaxed);
    slot->window.store(window, std::memory_order_relaxed);
  }
  if (ns > slot->max_ns.load(std::memory_order_relaxed))
    slot->max_ns.store(ns, std::memory_order_relaxed);
  const auto bucket = std::ranges::lower_bound(bucket_bounds, seconds(ns))
                      - bucket_bounds.begin();
  bump(c.buckets[static_cast<std::size_t>(bucket)], std::uint64_t{1});
}

std::uint64_t request_metrics::count(std::size_t row, unsigned status) const {
  std::uint64_t n = 0;
  for (const auto& s : shards_)
    for (const auto& slot : s->by_row[std::min(row, rows_.size() - 1)].seen)
      if (slot.status.load(std::memory_order_relaxed) == status)
        n += slot.count.load(std::memory_order_relaxed);
  return n;
}

std::vector<request_metrics::total>
request_metrics::totals_of(std::size_t row) const {
  const auto window = window_.load(std::memory_order_relaxed);
  std::vector<total> totals;
  for (const auto& s : shards_) {
    for (const auto& slot : s->by_row[row].seen) {
      const auto status = slot.status.load(std::memory_order_relaxed);
      if (status == 0)
        continue;
      auto it = std::ranges::find(totals, status, &total::status);
      if (it == totals.end())
        it = totals.insert(totals.end(), total{status});
      it->count += slot.count.load(std::memory_order_relaxed);
      it->sum_ns += slot.sum_ns.load(std::memory_order_relaxed);
      const auto age = window - slot.window.load(std::memory_order_relaxed);
      if (age <= 1)
        it->max_ns =
            std::max(it->max_ns, slot.max_ns.load(std::memory_order_relaxed));
      if (age == 0)
        it->max_ns = std::max(
            it->max_ns, slot.max_before_ns.load(std::memory_order_relaxed));
    }
  }
  return totals;
}

std::vector<MetricFamily> request_metrics::Collect() const {
  MetricFamily times{"http_server_requests_seconds",
                     "Time from the whole request read to its answer made",
                     MetricType::Summary,
                     {}};
  MetricFamily longest{"http_server_requests_seconds_max",
                       "Longest of the last one to two minutes",
                       MetricType::Gauge,
                       {}};
  MetricFamily buckets{"muster_http_request_seconds",
                       "Time from the whole request read to its answer made",
                       MetricType::Histogram,
                       {}};
  for (std::size_t i = 0; i < rows_.size(); ++i)
    collect_row(i, times, longest, buckets);
  turn_window();
  return {std::move(times), std::move(longest), std::move(buckets)};
}

void request_metrics::collect_row(std::size_t index, MetricFamily& times,
                                  MetricFamily& longest,
                                  MetricFamily& buckets) const {
  const auto& labels = rows_[index];
  std::uint64_t count = 0, sum_ns = 0;
  for (const auto& t : totals_of(index)) {
    ClientMetric m;
    m.label = {{"exception", "None"},
               {"method", labels.method},
               {"outcome", std::string(outcome_of(t.status))},
               {"status", std::to_string(t.status)},
               {"uri", labels.uri}};
    auto max = m;
    m.summary.sample_count = t.count;
    m.summary.sample_sum = seconds(t.sum_ns);
    max.gauge.value = seconds(t.max_ns);
    times.metric.push_back(std::move(m));
    longest.metric.push_back(std::move(max));
    count += t.count;
    sum_ns += t.sum_ns;
  }
  if (count == 0)
    return;
  ClientMetric m;
  m.label = {{"method", labels.method},
             {"product", labels.product},
             {"uri", labels.uri}};
  m.histogram.sample_count = count;
  m.histogram.sample_sum = seconds(sum_ns);
  std::uint64_t cumulative = 0;
  for (std::size_t b = 0; b < bucket_bounds.size(); ++b) {
    for (const auto& s : shards_)
      cumulative += s->by_row[index].buckets[b].load(std::memory_order_relaxed);
    m.histogram.bucket.push_back({cumulative, bucket_bounds[b]});
  }
  buckets.metric.push_back(std::move(m));
}

void request_metrics::turn_window() const {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now - window_start_ < max_window)
    return;
  window_start_ = now;
  window_.fetch_add(1, std::memory_order_relaxed);
}

} // namespace muster::common
