#include "actors/core/cluster/record.hpp"

#include <algorithm>
#include <utility>

namespace muster::cluster {

const pb::MemberRecord* find(const pb::MembershipRecord& record, node_id node) {
  const auto found =
      std::ranges::find(record.members(), node.value, &pb::MemberRecord::node);
  return found != record.members().end() ? &*found : nullptr;
}

pb::MemberAddress address_of(const member& m) {
  pb::MemberAddress out;
  out.set_host(m.host);
  out.set_http_port(m.http_port);
  out.set_sdk_port(m.sdk_port);
  out.set_cluster_port(m.cluster_port);
  return out;
}

std::vector<member> members_in(const pb::MembershipRecord& record,
                               const std::vector<member>& configured) {
  std::vector<member> out;
  for (const auto& each : record.members()) {
    const node_id id{each.node()};
    const auto known = std::ranges::find(configured, id, &member::id);
    if (known != configured.end()) {
      out.push_back(*known);
      continue;
    }
    const auto& at = each.address();
    out.push_back(
        {.id = id,
         .host = at.host(),
         .http_port = static_cast<std::uint16_t>(at.http_port()),
         .sdk_port = static_cast<std::uint16_t>(at.sdk_port()),
         .cluster_port = static_cast<std::uint16_t>(at.cluster_port())});
  }
  return out;
}

bool is_member(const pb::MembershipRecord& record, node_id node,
               std::string_view incarnation) {
  const auto* m = find(record, node);
  return m && (m->incarnation().empty() || m->incarnation() == incarnation);
}

beginning::beginning(node_id self, std::vector<node_id> configured)
    : self_(self), configured_(std::move(configured)) {
  std::ranges::sort(configured_);
  heard_of_none(self_);
}

void beginning::heard_of_none(node_id from) {
  without_.insert(from);
  found_if_alone();
}

void beginning::missed(node_id other) {
  missed_.insert(other);
  found_if_alone();
}

void beginning::found_if_alone() {
  if (members_ || kept_out_)
    return;
  const auto without = std::ranges::count_if(
      configured_, [this](node_id n) { return without_.contains(n); });
  const auto is_clear = [this](node_id n) {
    return without_.contains(n) || missed_.contains(n);
  };
  if (static_cast<std::size_t>(without) > configured_.size() / 2
      && std::ranges::all_of(configured_, is_clear))
    members_ = raft::configuration{configured_, {}, {}};
}

void beginning::learned(const pb::MembershipRecord& record) {
  if (members_)
    return;
  members_.emplace();
  const auto* own = find(record, self_);
  if (!own || !own->founder())
    return;
  for (const auto founder : record.founders())
    members_->voters.emplace_back(founder);
  std::ranges::sort(members_->voters);
}

} // namespace muster::cluster
