#include "actors/core/cluster/client_balance.hpp"

#include <algorithm>
#include <functional>

namespace muster::cluster {

namespace {

std::uint64_t share_of(std::uint64_t number, double share) {
  return static_cast<std::uint64_t>(static_cast<double>(number) * share);
}

} // namespace

load_figures figures_of(std::span<const node_load> loads) {
  if (loads.empty())
    return {};
  const auto [min, max] =
      std::ranges::minmax(loads, std::ranges::less{}, &node_load::sdks);
  load_figures out{.min = min.sdks, .max = max.sdks};
  for (const auto& each : loads)
    out.total += each.sdks;
  out.average = out.total / loads.size();
  return out;
}

std::vector<client_move> balance(std::vector<node_load> loads, double factor) {
  const auto average = figures_of(loads).average;
  const auto most = share_of(average, 1 + factor);
  const auto least = share_of(average, 1 - factor);
  // Of equal ones by address: whichever node is asked, it says the same.
  std::ranges::sort(loads, {}, [](const node_load& each) {
    return std::pair{each.sdks, each.address};
  });
  std::vector<client_move> out;
  for (std::size_t i = 0; i < loads.size() / 2; ++i) {
    const auto& full = loads[loads.size() - 1 - i];
    const auto& empty = loads[i];
    if (full.sdks <= most || empty.sdks >= least)
      break;
    out.push_back({full.node, most, empty.address});
  }
  return out;
}

std::uint64_t kept_at_once(std::uint64_t sdks, std::uint64_t keep) {
  return std::max(keep, share_of(sdks, 1 - moved_share_max));
}

std::vector<std::string> refuges(const member_list& members) {
  std::vector<std::string> out;
  for (const auto& each : members.all)
    if (each.id != members.self && each.state == member_state::up)
      out.push_back(each.address());
  return out;
}

} // namespace muster::cluster
