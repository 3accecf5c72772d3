#include "actors/core/naming/service_core.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "actors/core/base/invariant.hpp"

namespace muster::naming {

namespace {

constexpr std::string_view persistent_suffix = "#false";

constexpr std::string_view interval_key = "preserved.heart.beat.interval";
constexpr std::string_view unhealthy_key = "preserved.heart.beat.timeout";
constexpr std::string_view delete_key = "preserved.ip.delete.timeout";
/// Nacos skips the check of what has this set to `true` (nacos-http 9.6).
constexpr std::string_view unchecked_key = "enableClientBeat";

auto order_of(const hosted_ptr& h) {
  const auto& i = *h->registered;
  return std::tuple(std::string_view(i.cluster), std::string_view(i.ip), i.port,
                    std::string_view(h->client_id));
}

bool before(const hosted_ptr& a, const hosted_ptr& b) {
  return order_of(a) < order_of(b);
}

/// A time in milliseconds from metadata; what is no number counts as absent.
milliseconds time_of(const metadata_map& metadata, std::string_view key,
                     milliseconds fallback) {
  if (metadata.empty())
    return fallback;
  const auto found = metadata.find(key);
  if (found == metadata.end())
    return fallback;
  const auto value = parse_number<std::uint32_t>(found->second);
  return value ? milliseconds(*value) : fallback;
}

bool is_unchecked(const metadata_map& metadata) {
  const auto found = metadata.find(unchecked_key);
  return found != metadata.end() && found->second == "true";
}

std::uint32_t to_ms(milliseconds t) {
  return static_cast<std::uint32_t>(t.count());
}

} // namespace

std::string kind_refusal(const service_key& key, bool is_ephemeral) {
  const auto [is, other] = is_ephemeral
                             ? std::pair("ephemeral", "persistent")
                             : std::pair("persistent", "ephemeral");
  return "Current service " + key.group + "@@" + key.service + " is " + is
         + " service, can't register " + other + " instance.";
}

service_core::service_core(service_key key, const service_rules& rules,
                           steady_time now, const sharing* shared)
  : key_(std::move(key)), rules_(rules), shared_(shared) {
  if (shared_)
    shared_key_ = std::make_shared<const service_key>(key_);
  touched(now);
  dirty_ = false;
}

void service_core::take_over(const service_view& last, steady_time now) {
  definition_ = last.definition;
  kind_fixed_ = last.kind_fixed;
  hosts_ = last.hosts;
  version_ = last.version;
  last_ref_ms_ = last.last_ref_ms;
  for (const auto& h : hosts_) {
    if (!h->registered->ephemeral)
      continue;
    auto& c = clients_[h->client_id];
    c.from = h->from;
    if (!is_own(c))
      c.kind = client_kind::remote;
    else if (lives_by_beats(h->client_id))
      c.kind = client_kind::heart_beat;
    else
      c.kind = client_kind::orphan;
    if (h->shown->healthy != h->registered->healthy)
      c.state = h->shown->healthy ? health::healed : health::sick;
    c.hosts.push_back(h);
    c.seen = now;
  }
  for (auto& [id, c] : clients_) {
    set_times(c);
    note_deadline(c);
  }
  touched(now);
}

void service_core::load(stored_service stored, steady_time now) {
  std::vector<hosted_ptr> old;
  for (const auto& h : hosts_)
    if (!h->registered->ephemeral)
      old.push_back(h);
  erase(old);
  overrides_.clear();
  for (auto& [place, values] : stored.overrides)
    overrides_[std::move(place)].values = std::move(values);

  // A record fixes the kind. Without one it stays as registrations fixed it,
  // and a removed record leaves no empty service behind.
  const bool by_registration = kind_fixed_ && definition_.ephemeral
                               && !(has_record_ && hosts_.empty());
  has_record_ = stored.definition.has_value();
  kind_fixed_ = has_record_ || by_registration;
  definition_ = std::move(stored.definition).value_or(service_definition{});

  std::vector<hosted_ptr> fresh;
  for (const auto& i : stored.instances) {
    auto id = i->ip + ':' + std::to_string(i->port);
    id += persistent_suffix;
    fresh.push_back(host(filled_in(i), id, health::as_registered, nullptr));
  }
  insert(fresh);
  lay_overrides_anew();
  // The definition may take all out of the check, or back into it.
  next_expiry_.reset();
  for (const auto& [id, c] : clients_)
    note_deadline(c);
  touched(now);
}

result<void> service_core::check_publication(
  const std::vector<instance_ptr>& in) const {
  if (kind_fixed_ && !definition_.ephemeral)
    return fail(errc::failed_precondition, kind_refusal(key_, false));
  if (in.size() > rules_.batch_max)
    return fail(errc::resource_exhausted,
                "more than " + std::to_string(rules_.batch_max)
                  + " instances in one publication");
  for (const auto& i : in) {
    if (i->metadata.empty())
      continue;
    const auto beat = time_of(i->metadata, interval_key, rules_.beat_interval);
    if (time_of(i->metadata, unhealthy_key, rules_.unhealthy_after) < beat
        || time_of(i->metadata, delete_key, rules_.delete_after) < beat)
      return fail(errc::invalid_argument,
                  "Instance 'heart beat interval' must less than 'heart beat "
                  "timeout' and 'ip delete timeout'.");
  }
  return {};
}

result<void> service_core::publish(std::string_view client_id,
                                   client_kind kind,
                                   const std::vector<instance_ptr>& instances,
                                   steady_time now) {
  if (auto ok = check_publication(instances); !ok)
    return ok;
  if (instances.empty()) {
    kind_fixed_ = true;
    retract(client_id, now);
    touched(now);
    return {};
  }
  place(client_id, kind, health::as_registered, own_origin(false), instances,
        now);
  told(client_id, clients_.find(client_id)->second);
  return {};
}

/// Puts a publication in the place of the client's earlier one.
void service_core::place(std::string_view client_id, client_kind kind,
                         health state, origin_ptr from,
                         const std::vector<instance_ptr>& instances,
                         steady_time now) {
  kind_fixed_ = true;
  auto found = clients_.find(client_id);
  if (found != clients_.end())
    erase(found->second.hosts);
  else
    found = clients_.try_emplace(std::string(client_id)).first;
  auto& c = found->second;
  c.kind = kind;
  c.state = state;
  c.from = std::move(from);
  c.seen = now;
  c.hosts.clear();
  c.hosts.reserve(instances.size());
  for (const auto& i : instances)
    c.hosts.push_back(host(filled_in(i), client_id, c.state, c.from));
  set_times(c);
  insert(c.hosts);
  note_deadline(c);
  touched(now);
}

bool service_core::retract(std::string_view client_id, steady_time now) {
  const auto found = clients_.find(client_id);
  if (found == clients_.end())
    return false;
  told_removed(client_id, found->second, true);
  erase(found->second.hosts);
  clients_.erase(found);
  touched(now);
  return true;
}

std::vector<instance_ptr>
service_core::published_by(std::string_view client_id) const {
  std::vector<instance_ptr> all;
  if (const auto found = clients_.find(client_id); found != clients_.end())
    for (const auto& h : found->second.hosts)
      all.push_back(h->registered);
  return all;
}

result<beat_result> service_core::beat(std::string_view client_id,
                                       const instance_ptr& full,
                                       steady_time now) {
  const auto found = clients_.find(client_id);
  if (found != clients_.end()) {
    auto& c = found->second;
    c.seen = now;
    const auto& first = *c.hosts.front()->registered;
    const bool heals = c.state == health::sick
                       || (c.state == health::as_registered && !first.healthy);
    if (heals)
      set_health(c, health::healed);
    if (shared_ && (heals || !is_own(c) || c.from->taken)) {
      c.kind = client_kind::heart_beat;
      own(client_id, c, false);
      note_deadline(c);
    }
    if (heals) {
      note_deadline(c);
      touched(now);
    }
    return beat_result{
      true, time_of(first.metadata, interval_key, rules_.beat_interval)};
  }
  if (kind_fixed_ && !definition_.ephemeral
      && client_id.ends_with(heart_beat_suffix)) {
    auto id = std::string(
      client_id.substr(0, client_id.size() - heart_beat_suffix.size()));
    id += persistent_suffix;
    if (std::ranges::any_of(hosts_,
                            [&](auto& h) { return h->client_id == id; }))
      return beat_result{true, rules_.beat_interval};
  }
  if (!full)
    return beat_result{false, rules_.beat_interval};
  if (auto ok = publish(client_id, client_kind::heart_beat, {full}, now); !ok)
    return std::unexpected(std::move(ok.error()));
  return beat_result{
    true, time_of(full->metadata, interval_key, rules_.beat_interval)};
}

void service_core::expire(steady_time now) {
  if (!next_expiry_ || now < *next_expiry_)
    return;
  next_expiry_.reset();
  bool changed = false;
  std::vector<hosted_ptr> gone;
  for (auto it = clients_.begin(); it != clients_.end();) {
    auto& c = it->second;
    if (const auto due = deadline_of(c); due && *due <= now) {
      changed = true;
      if (const auto end = removal_of(c); end && *end <= now) {
        told_removed(it->first, c, false);
        gone.insert(gone.end(), c.hosts.begin(), c.hosts.end());
        it = clients_.erase(it);
        continue;
      }
      set_health(c, health::sick);
      if (shared_)
        own(it->first, c, c.from->taken);
    }
    note_deadline(c);
    ++it;
  }
  erase(gone);
  if (changed)
    touched(now);
}

void service_core::set_watched(bool watched, steady_time now) {
  const bool was_dirty = dirty_;
  watched_ = watched;
  touched(now);
  dirty_ = was_dirty;
}

bool service_core::forget(steady_time now) {
  if (has_record_ || !hosts_.empty())
    return false;
  kind_fixed_ = false;
  definition_ = {};
  touched(now);
  return true;
}

std::optional<steady_time> service_core::next_deadline() const noexcept {
  auto next = next_expiry_;
  const auto consider = [&next](steady_time t) {
    if (!next || t < *next)
      next = t;
  };
  if (const auto idle = idle_at())
    consider(*idle);
  for (const auto& [place, o] : overrides_)
    if (o.away_since)
      consider(*o.away_since + rules_.override_kept);
  return next;
}

bool service_core::is_idle(steady_time now) const noexcept {
  const auto idle = idle_at();
  return idle && *idle <= now;
}

std::vector<instance_place>
service_core::stale_overrides(steady_time now) const {
  std::vector<instance_place> out;
  for (const auto& [place, o] : overrides_)
    if (o.away_since && now - *o.away_since >= rules_.override_kept)
      out.push_back(place);
  return out;
}

service_view_ptr service_core::publish_view(wall_time now) {
  auto view = std::make_shared<service_view>();
  // Starting from the time of day keeps versions rising when a service is
  // forgotten and comes again.
  version_ = version_ == 0 ? to_unix_ms(now) : version_ + 1;
  last_ref_ms_ = std::max(to_unix_ms(now), last_ref_ms_ + 1);
  view->key = key_;
  view->version = version_;
  view->last_ref_ms = last_ref_ms_;
  view->definition = definition_;
  view->kind_fixed = kind_fixed_;
  view->hosts = hosts_;
  dirty_ = false;
  return view;
}

// -- hosts --------------------------------------------------------------------

instance_ptr service_core::filled_in(const instance_ptr& in) const {
  if (!in->instance_id.empty() && !in->cluster.empty())
    return in;
  auto out = std::make_shared<instance>(*in);
  if (out->cluster.empty())
    out->cluster = default_cluster;
  if (out->instance_id.empty())
    out->instance_id = out->ip + '#' + std::to_string(out->port) + '#'
                       + out->cluster + '#' + key_.group + "@@" + key_.service;
  return out;
}

hosted_ptr service_core::host(instance_ptr registered,
                              std::string_view client_id, health state,
                              const origin_ptr& from) const {
  const overlay* laid = nullptr;
  if (!overrides_.empty()) {
    const auto it = overrides_.find(
      {registered->ip, registered->port, registered->cluster});
    laid = it == overrides_.end() ? nullptr : &it->second;
  }
  const bool healthy = state == health::as_registered ? registered->healthy
                                                      : state == health::healed;
  auto out = std::make_shared<hosted_instance>();
  out->client_id = client_id;
  out->from = from;
  if (laid || healthy != registered->healthy) {
    auto shown = std::make_shared<instance>(*registered);
    shown->healthy = healthy;
    if (laid) {
      shown->weight = laid->values.weight.value_or(shown->weight);
      shown->enabled = laid->values.enabled.value_or(shown->enabled);
      for (const auto& [name, value] : laid->values.metadata)
        shown->metadata.insert_or_assign(name, value);
    }
    out->shown = std::move(shown);
  } else {
    out->shown = registered;
  }
  out->registered = std::move(registered);
  return out;
}

std::vector<hosted_ptr>::iterator service_core::locate(const hosted_ptr& host) {
  const auto first = std::lower_bound(hosts_.begin(), hosts_.end(), host,
                                      before);
  const auto it = std::find(first, hosts_.end(), host);
  MUSTER_INVARIANT(it != hosts_.end(), "a client's host is in the list");
  return it;
}

void service_core::insert(const std::vector<hosted_ptr>& hosts) {
  if (hosts.size() == 1) {
    const auto& h = hosts.front();
    hosts_.insert(std::upper_bound(hosts_.begin(), hosts_.end(), h, before), h);
    return;
  }
  const auto old = static_cast<std::ptrdiff_t>(hosts_.size());
  hosts_.insert(hosts_.end(), hosts.begin(), hosts.end());
  std::stable_sort(hosts_.begin() + old, hosts_.end(), before);
  std::inplace_merge(hosts_.begin(), hosts_.begin() + old, hosts_.end(),
                     before);
}

void service_core::erase(const std::vector<hosted_ptr>& hosts) {
  if (hosts.size() == 1) {
    hosts_.erase(locate(hosts.front()));
    return;
  }
  std::unordered_set<const hosted_instance*> gone;
  for (const auto& h : hosts)
    gone.insert(h.get());
  if (!gone.empty())
    std::erase_if(hosts_, [&](auto& h) { return gone.contains(h.get()); });
}

void service_core::set_health(client& c, health state) {
  if (c.state == state)
    return;
  c.state = state;
  host_anew(c);
}

void service_core::host_anew(client& c) {
  for (auto& h : c.hosts) {
    const auto it = locate(h);
    h = host(h->registered, h->client_id, c.state, c.from);
    *it = h;
  }
}

void service_core::set_times(client& c) const {
  const auto& metadata = c.hosts.front()->registered->metadata;
  c.checked = !is_unchecked(metadata);
  c.unhealthy_after_ms
    = to_ms(time_of(metadata, unhealthy_key, rules_.unhealthy_after));
  c.delete_after_ms
    = to_ms(time_of(metadata, delete_key, rules_.delete_after));
}

bool service_core::is_checked(const client& c) const {
  return c.checked && !is_unchecked(definition_.metadata);
}

/// When it goes, if nothing is heard of it; nothing: that is not for the clock.
std::optional<steady_time> service_core::removal_of(const client& c) const {
  if (c.kind == client_kind::orphan && is_own(c))
    return c.seen + rules_.orphan_kept;
  if (c.kind == client_kind::orphan) {
    // A client that beats seldom needs its own time to be heard elsewhere.
    const bool beats = lives_by_beats(c.hosts.front()->client_id);
    const auto own_time
      = std::min(rules_.client_kept, milliseconds(c.delete_after_ms));
    return c.seen
           + (beats ? std::max(rules_.lost_owner_kept, own_time)
                    : rules_.lost_owner_kept);
  }
  if (c.kind != client_kind::heart_beat)
    return std::nullopt;
  const auto longest = c.seen + rules_.client_kept;
  if (!rules_.expire_instances || !is_checked(c))
    return longest;
  return std::min(longest, c.seen + milliseconds(c.delete_after_ms));
}

std::optional<steady_time> service_core::deadline_of(const client& c) const {
  const auto removed = removal_of(c);
  if (c.kind != client_kind::heart_beat || c.state == health::sick
      || !is_checked(c))
    return removed;
  return std::min(*removed, c.seen + milliseconds(c.unhealthy_after_ms));
}

void service_core::note_deadline(const client& c) {
  const auto due = deadline_of(c);
  if (due && (!next_expiry_ || *due < *next_expiry_))
    next_expiry_ = due;
}

// -- overrides, idleness ------------------------------------------------------

bool service_core::is_present(const instance_place& place) const {
  const auto wanted = std::tuple(std::string_view(place.cluster),
                                 std::string_view(place.ip), place.port);
  const auto place_of = [](const hosted_ptr& h) {
    const auto& i = *h->registered;
    return std::tuple(std::string_view(i.cluster), std::string_view(i.ip),
                      std::uint32_t{i.port});
  };
  const auto it = std::ranges::lower_bound(hosts_, wanted, {}, place_of);
  return it != hosts_.end() && place_of(*it) == wanted;
}

void service_core::lay_overrides_anew() {
  std::unordered_map<const hosted_instance*, hosted_ptr> renewed;
  const auto renew = [&](hosted_ptr& h, health state) {
    auto fresh = host(h->registered, h->client_id, state, h->from);
    renewed.emplace(h.get(), fresh);
    h = std::move(fresh);
  };
  std::vector<hosted_ptr> old = hosts_; // keeps the keys of `renewed` alive
  for (auto& [id, c] : clients_)
    for (auto& h : c.hosts)
      renew(h, c.state);
  for (auto& h : hosts_) {
    const auto it = renewed.find(h.get());
    if (it != renewed.end())
      h = it->second;
    else
      h = host(h->registered, h->client_id, health::as_registered, nullptr);
  }
}

std::optional<steady_time> service_core::idle_at() const noexcept {
  if (!idle_since_ || (kind_fixed_ && !rules_.forget_empty))
    return std::nullopt;
  return *idle_since_ + rules_.empty_kept;
}

void service_core::touched(steady_time now) {
  dirty_ = true;
  for (auto& [place, o] : overrides_) {
    if (is_present(place))
      o.away_since.reset();
    else if (!o.away_since)
      o.away_since = now;
  }
  const bool by_hand = has_record_
                       && (definition_.by_hand || !definition_.clusters.empty());
  const bool idle = hosts_.empty() && !watched_ && !by_hand;
  if (!idle)
    idle_since_.reset();
  else if (!idle_since_)
    idle_since_ = now;
}

} // namespace muster::naming
