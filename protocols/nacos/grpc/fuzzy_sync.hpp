#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/api/connection.hpp"

namespace muster::nacos::remote {

/// (group, name) pairs, sorted.
using name_set = std::set<std::pair<std::string, std::string>>;

/// One synchronisation of a fuzzy watch, as it was asked for.
struct fuzzy_sync {
  api::name_kind kind = api::name_kind::config;
  std::string space;
  std::string pattern;
  bool initial = false;
  /// There are more names than a watch may match: nothing is taken away from
  /// the client, since we do not look at all of them.
  bool over_limit = false;
};

/// The messages that bring a client from `known` to `present`: removals first,
/// then additions, `batch_max` to a message, and for an initial synchronisation
/// a closing one. Pure. Source: nacos-grpc 6.9, 7.8.
std::vector<std::shared_ptr<const api::name_batch>>
plan_sync(const fuzzy_sync& sync, const name_set& present,
          const name_set& known, std::size_t batch_max);

} // namespace muster::nacos::remote
