#include "actors/core/cluster/membership_core.hpp"

#include <algorithm>
#include <utility>

namespace muster::cluster {

namespace {

member_state state_said(const member_facts& facts) {
  if (facts.draining)
    return member_state::draining;
  return facts.serving ? member_state::up : member_state::starting;
}

} // namespace

membership_core::membership_core(node_id self, std::vector<member> all,
                                 std::uint32_t failures_max, wall_time now)
    : failures_max_(failures_max) {
  list_.self = self;
  list_.all = std::move(all);
  std::ranges::sort(list_.all, {}, &member::address);
  for (auto& each : list_.all)
    each.changed = now;
}

member* membership_core::find(node_id id) {
  const auto found = std::ranges::find(list_.all, id, &member::id);
  return found != list_.all.end() ? &*found : nullptr;
}

void membership_core::set_members(std::vector<member> all, wall_time now) {
  std::ranges::sort(all, {}, &member::address);
  const auto is_same = [](const member& a, const member& b) {
    return a.id == b.id && a.host == b.host && a.http_port == b.http_port
           && a.cluster_port == b.cluster_port;
  };
  if (std::ranges::equal(all, list_.all, is_same))
    return;
  for (auto& each : all) {
    if (const auto* known = find(each.id)) {
      const auto cluster_port = each.cluster_port;
      each = *known;
      each.cluster_port = cluster_port;
    } else {
      each.changed = now;
    }
  }
  list_.all = std::move(all);
  changed_ = true;
}

void membership_core::enter(member& m, member_state state, wall_time now) {
  if (m.state == state)
    return;
  m.state = state;
  m.changed = now;
  changed_ = true;
}

void membership_core::heard(node_id from, const member_facts& facts,
                            wall_time now) {
  auto* m = find(from);
  if (m == nullptr)
    return;
  const auto put = [this](auto& to, const auto& value) {
    changed_ |= to != value;
    to = value;
  };
  put(m->boot, facts.boot);
  put(m->version, facts.version);
  put(m->sdk_port, facts.sdk_port);
  put(m->datacenter, facts.datacenter);
  put(m->region, facts.region);
  put(m->zone, facts.zone);
  put(m->shows, facts.shows);
  put(m->failures, 0U);
  enter(*m, state_said(facts), now);
}

void membership_core::missed(node_id from, wall_time now) {
  auto* m = find(from);
  if (m == nullptr || from == list_.self)
    return;
  // From here on only the number would change, and nobody asks for it.
  if (m->state == member_state::down)
    return;
  ++m->failures;
  changed_ = true;
  enter(*m,
        m->failures >= failures_max_ ? member_state::down
        : m->boot == 0               ? member_state::starting
                                     : member_state::suspicious,
        now);
}

member_list_ptr membership_core::take_change() {
  if (!std::exchange(changed_, false))
    return nullptr;
  ++list_.version;
  return std::make_shared<const member_list>(list_);
}

} // namespace muster::cluster
