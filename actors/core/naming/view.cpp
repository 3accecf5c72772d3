#include "actors/core/naming/view.hpp"

#include <algorithm>

namespace muster::naming {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && blank(text.back()))
    text.remove_suffix(1);
  return text;
}

/// Whether a comma list names `cluster`; blank names all.
bool names_cluster(std::string_view list, std::string_view cluster) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (trimmed(list.substr(0, comma)) == cluster)
      return true;
    if (comma == std::string_view::npos)
      break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

/// Doubles stand side by side: hosts are sorted by address.
bool is_double(const std::vector<hosted_ptr>& taken, const hosted_ptr& host) {
  for (auto i = taken.rbegin(); i != taken.rend(); ++i) {
    const auto& a = *(*i)->shown;
    const auto& b = *host->shown;
    if (a.port != b.port || a.ip != b.ip || a.cluster != b.cluster)
      return false;
    if (a == b)
      return true;
  }
  return false;
}

} // namespace

selected select(const service_view& view, const selection& wanted) {
  selected out;
  out.hosts.reserve(view.hosts.size());
  const bool all = trimmed(wanted.clusters).empty();
  std::size_t healthy = 0;
  for (const auto& host : view.hosts) {
    const auto& shown = *host->shown;
    if (!all && !names_cluster(wanted.clusters, shown.cluster))
      continue;
    if ((!shown.enabled && !wanted.with_disabled)
        || (!shown.healthy && wanted.healthy_only) || is_double(out.hosts, host))
      continue;
    healthy += shown.healthy ? 1 : 0;
    out.hosts.push_back(host);
  }
  if (view.definition.by_hand && !out.hosts.empty())
    out.protect = static_cast<double>(healthy)
                  <= view.definition.protect_threshold
                       * static_cast<double>(out.hosts.size());
  return out;
}

} // namespace muster::naming
