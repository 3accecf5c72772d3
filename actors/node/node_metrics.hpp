#pragma once

#include <memory>

#include <prometheus/collectable.h>

#include "actors/runtime/node.hpp"

namespace muster {

/// The node's own figures for Prometheus: its log, its partitions, what it says
/// to other nodes. Any thread; `node` outlives it.
std::shared_ptr<prometheus::Collectable>
node_metrics(const runtime::node& node);

} // namespace muster
