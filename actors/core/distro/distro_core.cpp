#include "actors/core/distro/distro_core.hpp"

#include <algorithm>
#include <utility>

namespace muster::distro {

namespace {

/// About what a publication takes on the wire.
std::size_t bytes_of(const publication& p) {
  std::size_t bytes = 100 + p.client_id.size();
  for (const auto& i : p.instances) {
    bytes += 100;
    for (const auto& [name, value] : i->metadata)
      bytes += 8 + name.size() + value.size();
  }
  return bytes;
}

} // namespace

distro_core::distro_core(node_life self, const distro_settings& settings,
                         naming::revision_clock& revisions, steady_time now)
    : self_(self), settings_(settings), revisions_(revisions),
      verify_at_(now + settings.verify_every), started_(now),
      out_(self.boot, settings.message_bytes_max) {}

void distro_core::found(publication_ptr p) {
  revisions_.observe(p->from.revision);
  table_.put(std::move(p));
}

// -- changes ------------------------------------------------------------------

void distro_core::changed(publication_ptr p, steady_time now) {
  const auto name = name_of(*p);
  const auto mine = table_.find(name);
  if (mine && p->from < mine->from)
    return; // the service has orders on the way that overtake this
  if (p->removed()) {
    if (mine)
      table_.erase(name_of(*mine));
    // Orders that were on the way to the service may have brought it back.
    put_order(order::what::remove, p);
  } else {
    table_.put(p);
  }
  if (p->from.owner == self_)
    tell(std::move(p), now);
}

void distro_core::tell(publication_ptr p, steady_time now) {
  if (untold_.size() >= settings_.backlog_max)
    return; // peers find out when they compare
  untold_.push_back(std::move(p));
  if (!flush_at_)
    flush_at_ = now + settings_.flush_every;
}

std::optional<steady_time> distro_core::flush_due() const noexcept {
  return flush_at_;
}

std::vector<node_id> distro_core::reachable() const {
  std::vector<node_id> out;
  if (ring_)
    for (const auto& p : ring_->all())
      if (p.id != self_.node && !p.down)
        out.push_back(p.id);
  return out;
}

void distro_core::flush_changes(steady_time now) {
  flush_at_.reset();
  const auto to = reachable();
  std::size_t bytes = 0;
  std::size_t sent = 0;
  pb::DistroMessage message;
  std::size_t message_bytes = 0;
  const auto send = [&] {
    if (message_bytes > 0)
      out_.broadcast(to, std::exchange(message, {}));
    message_bytes = 0;
  };
  for (; sent < untold_.size() && bytes < settings_.flush_bytes_max; ++sent) {
    const auto size = bytes_of(*untold_[sent]);
    if (message_bytes + size > settings_.message_bytes_max)
      send();
    to_wire(*untold_[sent], *message.add_changes());
    message_bytes += size;
    bytes += size;
  }
  send();
  untold_.erase(untold_.begin(),
                untold_.begin() + static_cast<std::ptrdiff_t>(sent));
  if (!untold_.empty())
    flush_at_ = now + settings_.flush_every;
}

void distro_core::put_order(order::what kind, publication_ptr p) {
  const bool responsible =
      ring_ && ring_->responsible(p->client_id) == self_.node;
  output_.orders.push_back({kind, std::move(p), responsible});
}

/// A claim by a node that has not heard the client, or not for long, against an
/// owner who has: of two sides of a partition, the wrong one. That owner has
/// the last word, with a newer revision; until then, nothing changes.
bool distro_core::is_weak(const publication& p, const publication& mine,
                          node_id from) const {
  const auto& owner = mine.from.owner;
  if (p.from.owner == owner || owner == self_ || owner.node == from)
    return false;
  const auto sick = naming::beat_health::sick;
  const bool sicker = p.health == sick && mine.health != sick;
  const bool unheard = p.from.taken && !mine.from.taken;
  return (sicker && p.from.taken)
         || ((sicker || unheard) && ring_->may_live(owner));
}

/// Another node's word on a publication.
void distro_core::merge(const publication_ptr& p, node_id from) {
  revisions_.observe(p->from.revision);
  if (p->from.owner == self_)
    return; // an echo; the services know better
  const auto mine = table_.find(name_of(*p));
  if (mine && mine->from.owner == self_
      && !naming::lives_by_beats(p->client_id))
    return; // the connection is here
  if (p->removed()) {
    merge_removal(p, mine);
    return;
  }
  if (mine && p->from <= mine->from) {
    // Its owner does not know that there is a newer one.
    if (p->from < mine->from && p->from.owner.node == from
        && mine->from.owner.node != from)
      to_wire(*mine, *out_.direct(from, bytes_of(*mine)).add_changes());
    return;
  }
  if (mine && is_weak(*p, *mine, from))
    return;
  put_order(order::what::apply, p);
  if (mine && mine->from.owner == self_)
    return; // the service decides whether to let it go, and says so
  table_.put(p);
  settle(p);
}

void distro_core::merge_removal(const publication_ptr& p,
                                const publication_ptr& mine) {
  const bool may = mine && (p->asked || mine->from.owner == p->from.owner);
  if (!may || p->from < mine->from)
    return;
  table_.erase(name_of(*mine));
  put_order(order::what::remove, p);
}

// -- members ------------------------------------------------------------------

/// What becomes of a publication whose owner is gone, if it is.
void distro_core::settle(const publication_ptr& p) {
  const auto& owner = p->from.owner;
  if (owner == self_ || !ring_ || ring_->may_live(owner))
    return;
  dead_.insert(owner);
  const bool ours = naming::lives_by_beats(p->client_id)
                    && ring_->responsible(p->client_id) == self_.node;
  put_order(ours ? order::what::adopt : order::what::abandon, p);
}

void distro_core::set_members(ring_ptr now_members, steady_time now) {
  const auto before = std::exchange(ring_, std::move(now_members));
  bool came_any = false;
  for (const auto& p : ring_->all()) {
    const auto* was = before ? before->find(p.id) : nullptr;
    const bool came = !p.down && (!was || was->down || was->boot != p.boot);
    if (p.down)
      unsent(p.id, now);
    came_any = came_any || (came && p.id != self_.node);
  }
  if (came_any)
    welcome(now);
  std::set<node_life> back;
  for (const auto& owner : table_.owners())
    if (owner != self_ && !ring_->may_live(owner))
      dead_.insert(owner);
    else if (dead_.erase(owner) > 0)
      back.insert(owner);
  if (!back.empty())
    table_.each([&](const publication_ptr& p) {
      if (back.contains(p->from.owner))
        put_order(order::what::apply, p);
    });
  reassess();
  load(now);
}

/// Somebody is back. Beats of clients that were taken over may have gone there:
/// they get their time anew, until it is known.
void distro_core::welcome(steady_time now) {
  verify_at_ = now;
  if (table_.count(self_) == 0)
    return;
  table_.each([&](const publication_ptr& p) {
    if (p->from.owner == self_ && p->from.taken)
      put_order(order::what::adopt, p);
  });
}

void distro_core::reassess() {
  std::erase_if(dead_,
                [&](const auto& owner) { return table_.count(owner) == 0; });
  if (dead_.empty())
    return;
  table_.each([&](const publication_ptr& p) {
    if (dead_.contains(p->from.owner))
      settle(p);
  });
}

void distro_core::resend_missed() {
  if (missed_.empty())
    return;
  const auto keys = std::exchange(missed_, {});
  table_.each([&](const publication_ptr& p) {
    if (p->from.owner == self_ || !keys.contains(*p->service))
      return;
    put_order(order::what::apply, p);
    settle(p);
  });
}

// -- time ---------------------------------------------------------------------

void distro_core::tick(steady_time now) {
  std::vector<std::uint64_t> late;
  for (const auto& [id, c] : calls_)
    if (c.deadline <= now)
      late.push_back(id);
  for (const auto id : late)
    end_call(id, {errc::unavailable, "the responsible node does not answer"});
  for (auto& [id, p] : peers_) {
    const auto lost = p.asks.expire(now);
    p.lost += lost;
    // At start there is nobody else to ask; later the next comparison asks
    // anew.
    if (lost > 0 && !p.asks.asks_all())
      p.asks.give_up();
    pump(id, now);
  }
  load(now);
  resend_missed();
  if (now < verify_at_)
    return;
  // What is told first is not missed by those who compare.
  flush_changes(now);
  if (!untold_.empty())
    return;
  verify_at_ = now + settings_.verify_every;
  send_verify();
  reassess();
}

output distro_core::take_output(steady_time now) {
  if (flush_at_ && now >= *flush_at_)
    flush_changes(now);
  output_.messages = out_.take();
  return std::exchange(output_, {});
}

} // namespace muster::distro
