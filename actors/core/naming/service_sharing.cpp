#include "actors/core/naming/service_core.hpp"

#include <map>
#include <utility>

/// The part of a service that nodes of a cluster share.
namespace muster::naming {

bool service_core::is_own(const client& c) const {
  return !shared_ || (c.from && c.from->owner == shared_->self);
}

origin_ptr service_core::own_origin(bool taken) const {
  if (!shared_)
    return nullptr;
  return std::make_shared<const origin>(
      origin{shared_->revisions.next(), shared_->self, taken});
}

/// From now on the client is this node's, by a newer revision than any.
void service_core::own(std::string_view client_id, client& c, bool taken) {
  c.from = own_origin(taken);
  host_anew(c);
  dirty_ = true;
  told(client_id, c);
}

void service_core::told(std::string_view client_id, client& c) {
  if (!shared_ || std::exchange(c.untold, true))
    return;
  untold_.emplace_back(client_id);
}

void service_core::told_removed(std::string_view client_id, const client& c,
                                bool asked) {
  if (!shared_)
    return;
  auto out = std::make_shared<publication>();
  out->service = shared_key_;
  out->client_id = client_id;
  out->from = asked || is_own(c) ? *own_origin(false) : *c.from;
  out->asked = asked;
  removals_.push_back(std::move(out));
}

std::vector<publication_ptr> service_core::take_changes() {
  auto out = std::exchange(removals_, {});
  for (const auto& id : std::exchange(untold_, {})) {
    const auto found = clients_.find(id);
    if (found == clients_.end())
      continue;
    auto& c = found->second;
    c.untold = false;
    auto p = std::make_shared<publication>();
    p->service = shared_key_;
    p->client_id = id;
    p->from = *c.from;
    p->health = c.state;
    p->instances.reserve(c.hosts.size());
    for (const auto& h : c.hosts)
      p->instances.push_back(h->registered);
    out.push_back(std::move(p));
  }
  return out;
}

std::vector<publication_ptr> publications_of(const service_view& view) {
  std::map<std::string_view, std::shared_ptr<publication>> by_client;
  const auto key = std::make_shared<const service_key>(view.key);
  for (const auto& h : view.hosts) {
    if (!h->from)
      continue;
    auto& p = by_client[h->client_id];
    if (!p) {
      p = std::make_shared<publication>();
      p->service = key;
      p->client_id = h->client_id;
      p->from = *h->from;
    }
    if (h->shown->healthy != h->registered->healthy)
      p->health = h->shown->healthy ? beat_health::healed : beat_health::sick;
    p->instances.push_back(h->registered);
  }
  std::vector<publication_ptr> out;
  for (auto& [_, p] : by_client)
    out.push_back(std::move(p));
  return out;
}

std::uint64_t service_core::revision_of(std::string_view client_id) const {
  const auto found = clients_.find(client_id);
  return found == clients_.end() || !found->second.from
             ? 0
             : found->second.from->revision;
}

/// Two nodes claim a client, for instance when a partition heals. Who heard it
/// beat stays the owner, or else somebody would let it go whom its beats did
/// not reach; if both did, whom its beats will go to. A connection is a fact.
bool service_core::keeps(const client& c, const publication& p,
                         bool responsible) const {
  if (!is_own(c))
    return false;
  if (c.kind == client_kind::stream)
    return true;
  const bool beats = c.kind == client_kind::heart_beat && !c.from->taken
                     && c.state != health::sick;
  return beats && (responsible || p.from.taken || p.health == health::sick);
}

void service_core::apply(const publication& p, bool responsible,
                         steady_time now) {
  if (kind_fixed_ && !definition_.ephemeral)
    return;
  bool lets_go = false;
  if (const auto found = clients_.find(p.client_id); found != clients_.end()) {
    auto& c = found->second;
    if (p.from < *c.from)
      return;
    if (p.from == *c.from) {
      if (c.kind == client_kind::orphan && !is_own(c))
        c.kind = client_kind::remote;
      return;
    }
    if (keeps(c, p, responsible)) {
      if (c.kind == client_kind::heart_beat)
        own(p.client_id, c, false);
      // The other node heard it; that beat counts here, too.
      if (!p.from.taken && p.health != health::sick)
        c.seen = now;
      return;
    }
    lets_go = is_own(c);
  }
  place(p.client_id, client_kind::remote, p.health,
        std::make_shared<const origin>(p.from), p.instances, now);
  if (lets_go)
    told(p.client_id, clients_.find(p.client_id)->second);
}

void service_core::apply_removal(const publication& p, steady_time now) {
  const auto found = clients_.find(p.client_id);
  if (found == clients_.end())
    return;
  const auto& c = found->second;
  const bool may = p.asked || c.from->owner == p.from.owner;
  const bool connected = c.kind == client_kind::stream && is_own(c);
  if (!may || connected || p.from < *c.from)
    return;
  erase(c.hosts);
  clients_.erase(found);
  touched(now);
}

void service_core::adopt(std::string_view client_id, std::uint64_t revision,
                         steady_time now) {
  const auto found = clients_.find(client_id);
  if (found == clients_.end() || found->second.from->revision != revision)
    return;
  auto& c = found->second;
  if (is_own(c)) {
    if (c.from->taken)
      c.seen = now;
    own(client_id, c, c.from->taken);
  } else if (lives_by_beats(client_id)) {
    c.kind = client_kind::heart_beat;
    c.seen = now;
    own(client_id, c, true);
    note_deadline(c);
  }
}

void service_core::abandon(std::string_view client_id, std::uint64_t revision,
                           steady_time now) {
  const auto found = clients_.find(client_id);
  if (found == clients_.end() || found->second.from->revision != revision
      || found->second.kind != client_kind::remote)
    return;
  found->second.kind = client_kind::orphan;
  found->second.seen = now;
  note_deadline(found->second);
}

} // namespace muster::naming
