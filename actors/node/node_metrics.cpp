#include "actors/node/node_metrics.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>

namespace muster {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using runtime::figure;

struct described {
  const char* name;
  const char* help;
  MetricType type;
};

template <class Owner>
struct row {
  described what;
  figure Owner::*value;
};

constexpr std::array<row<runtime::node_figures>, 10> of_node{{
    {{"muster_log_syncs_total", "Synced writes of the log",
      MetricType::Counter},
     &runtime::node_figures::log_syncs},
    {{"muster_log_entries_total", "Entries written to the log",
      MetricType::Counter},
     &runtime::node_figures::log_entries},
    {{"muster_peer_messages_sent_total", "Batches sent to other nodes",
      MetricType::Counter},
     &runtime::node_figures::peer_messages_sent},
    {{"muster_peer_bytes_sent_total", "Bytes of these batches",
      MetricType::Counter},
     &runtime::node_figures::peer_bytes_sent},
    {{"muster_peer_messages_dropped_total",
      "Batches for nodes there was no way to", MetricType::Counter},
     &runtime::node_figures::peer_messages_dropped},
    {{"muster_peer_messages_received_total", "Batches from other nodes",
      MetricType::Counter},
     &runtime::node_figures::peer_messages_received},
    {{"muster_peer_bytes_received_total", "Bytes of these batches",
      MetricType::Counter},
     &runtime::node_figures::peer_bytes_received},
    {{"muster_snapshot_bytes_sent_total", "Bytes of tables sent to members",
      MetricType::Counter},
     &runtime::node_figures::snapshot_bytes_sent},
    {{"muster_snapshot_bytes_received_total",
      "Bytes of tables received from members", MetricType::Counter},
     &runtime::node_figures::snapshot_bytes_received},
    {{"muster_distro_publications",
      "What ephemeral clients have published, as this node knows it",
      MetricType::Gauge},
     &runtime::node_figures::publications},
}};

constexpr std::array<row<runtime::partition_figures>, 4> of_partition{{
    {{"muster_raft_leader", "1 if this node leads the partition",
      MetricType::Gauge},
     &runtime::partition_figures::leads},
    {{"muster_raft_term", "Term of the partition's member here",
      MetricType::Gauge},
     &runtime::partition_figures::term},
    {{"muster_raft_commit_index", "Index up to which the log is committed",
      MetricType::Gauge},
     &runtime::partition_figures::commit},
    {{"muster_raft_applied_index", "Index up to which the tables are applied",
      MetricType::Gauge},
     &runtime::partition_figures::applied},
}};

ClientMetric metric(const described& what, const figure& value) {
  ClientMetric one;
  auto& to =
      what.type == MetricType::Counter ? one.counter.value : one.gauge.value;
  to = static_cast<double>(value.get());
  return one;
}

class collector : public prometheus::Collectable {
public:
  explicit collector(const runtime::node& node) : node_(node) {}

  std::vector<MetricFamily> Collect() const override {
    const auto& figures = node_.figures();
    std::vector<MetricFamily> all;
    for (const auto& each : of_node)
      all.push_back({each.what.name,
                     each.what.help,
                     each.what.type,
                     {metric(each.what, figures.*each.value)}});
    for (const auto& each : of_partition) {
      MetricFamily family{each.what.name, each.what.help, each.what.type, {}};
      for (std::size_t p = 0; p < figures.partitions.size(); ++p) {
        if (figures.partitions[p].held.get() == 0)
          continue;
        auto one = metric(each.what, figures.partitions[p].*each.value);
        one.label = {{"partition", std::to_string(p)}};
        family.metric.push_back(std::move(one));
      }
      all.push_back(std::move(family));
    }
    all.push_back(members());
    return all;
  }

private:
  MetricFamily members() const {
    MetricFamily family{
        "muster_cluster_members",
        "Members of the cluster by state, as this node sees them",
        MetricType::Gauge,
        {}};
    using enum cluster::member_state;
    for (const auto state : {starting, up, suspicious, down, draining}) {
      ClientMetric one;
      for (const auto& each : node_.members()->all)
        one.gauge.value += each.state == state ? 1 : 0;
      one.label = {{"state", std::string{cluster::name_of(state)}}};
      family.metric.push_back(std::move(one));
    }
    return family;
  }

  const runtime::node& node_;
};

} // namespace

std::shared_ptr<prometheus::Collectable>
node_metrics(const runtime::node& node) {
  return std::make_shared<collector>(node);
}

} // namespace muster
