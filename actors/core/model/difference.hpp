#pragma once

#include <functional>

#include "actors/core/model/apply.hpp"

namespace muster::model {

/// Tells, as events of `index`, in what a partition's tables `after` differ
/// from `before`: what watchers have to know when a snapshot took the place of
/// commands. Goes by the tables' order and holds some rows at a time.
///
/// A config is told of once for its formal version and once for its grays; its
/// snapshot is that of `after`. A change that left the content as it was is not
/// told: nobody waits for it. Throws only `state_error`.
void visit_differences(const state_reader& before, const state_reader& after,
                       partition_id partition, log_index index,
                       const std::function<void(const event&)>& visit);

} // namespace muster::model
