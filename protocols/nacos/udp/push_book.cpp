#include "protocols/nacos/udp/push_book.hpp"

#include <utility>

namespace muster::nacos::udp {

push_book::push_book(book_rules rules, std::uint64_t first_id)
    : rules_(rules), next_id_(first_id) {
  // nop
}

// -- subscriptions ------------------------------------------------------------

push_book::polled push_book::poll(const service_key& key,
                                  std::string_view clusters,
                                  const endpoint& client, std::uint64_t told,
                                  steady_time now) {
  auto which = find(key, clusters, client);
  if (which == subscriptions_.end()) {
    if (!may_add(clusters, client))
      return polled::refused;
    which = add(key, clusters, client);
  }
  auto& one = *which;
  one.ends = now + rules_.kept;
  subscriptions_.splice(subscriptions_.end(), subscriptions_, which);
  // A push may have overtaken this answer: what the client shows now is not
  // known, so an older answer is followed by the newest view once more.
  one.told = told;
  const auto& newest = one.in->of->newest;
  if (!newest || is_news(one, *newest))
    return polled::behind;
  settle(one);
  return polled::current;
}

bool push_book::may_add(std::string_view clusters,
                        const endpoint& client) const {
  if (subscriptions_.size() >= rules_.subscriptions_max
      || clusters.size() > rules_.clusters_bytes_max)
    return false;
  const auto same = by_address_.find(client.address());
  return same == by_address_.end() || same->second < rules_.per_address_max;
}

push_book::place push_book::find(const service_key& key,
                                 std::string_view clusters,
                                 const endpoint& client) {
  const auto service = services_.find(key);
  if (service == services_.end())
    return subscriptions_.end();
  const auto audience = service->second.audiences.find(clusters);
  if (audience == service->second.audiences.end())
    return subscriptions_.end();
  const auto known = audience->second.clients.find(client);
  return known == audience->second.clients.end() ? subscriptions_.end()
                                                 : known->second;
}

push_book::place push_book::add(const service_key& key,
                                std::string_view clusters,
                                const endpoint& client) {
  auto& service = services_[key];
  service.key = key;
  auto& audience = service.audiences[std::string{clusters}];
  audience.of = &service;
  audience.clusters = clusters;
  const auto which = subscriptions_.emplace(subscriptions_.end());
  which->in = &audience;
  which->client = client;
  audience.clients.emplace(client, which);
  ++by_address_[client.address()];
  return which;
}

std::optional<service_key> push_book::end(place which) {
  settle(*which);
  const auto count = by_address_.find(which->client.address());
  if (--count->second == 0)
    by_address_.erase(count);
  auto& audience = *which->in;
  auto& service = *audience.of;
  audience.clients.erase(which->client);
  subscriptions_.erase(which);
  if (audience.clients.empty())
    service.audiences.erase(service.audiences.find(audience.clusters));
  if (!service.audiences.empty())
    return std::nullopt;
  auto key = service.key;
  services_.erase(services_.find(key));
  return key;
}

// -- telling ------------------------------------------------------------------

bool push_book::is_news(const subscription& one,
                        const naming::service_view& view) const noexcept {
  // "Nobody knows it" and "it has no hosts" are the same list.
  return one.told < view.version && (one.told != 0 || !view.hosts.empty());
}

std::vector<push_of> push_book::tell(const naming::service_view_ptr& view,
                                     steady_time now) {
  const auto known = services_.find(view->key);
  if (known == services_.end())
    return {};
  auto& service = known->second;
  if (!service.newest || service.newest->version < view->version)
    service.newest = view;
  std::vector<push_of> out;
  for (auto& [clusters, audience] : service.audiences) {
    push what{clusters, next_id_, {}};
    for (auto& [client, which] : audience.clients) {
      if (is_news(*which, *service.newest)) {
        what.to.push_back(client);
        await(*which, what.id, now);
      }
      which->told = std::max(which->told, service.newest->version);
    }
    if (what.to.empty())
      continue;
    ++next_id_;
    out.push_back({service.newest, std::move(what)});
  }
  return out;
}

void push_book::await(subscription& one, std::uint64_t id, steady_time now) {
  settle(one);
  one.awaited = id;
  one.repeated = false;
  one.ack_due = now + rules_.ack_wait;
  one.place = awaiting_.insert(awaiting_.end(), &one);
  awaited_.emplace(std::pair{one.client, id}, &one);
}

void push_book::settle(subscription& one) {
  if (one.awaited == 0)
    return;
  awaited_.erase({one.client, one.awaited});
  awaiting_.erase(one.place);
  one.awaited = 0;
}

bool push_book::awaits_any(const endpoint& client) const {
  const auto first = awaited_.lower_bound({client, 0});
  return first != awaited_.end() && first->first.first == client;
}

bool push_book::acknowledge(const endpoint& client, std::uint64_t id) {
  const auto found = awaited_.find({client, id});
  if (found == awaited_.end())
    return false;
  settle(*found->second);
  return true;
}

// -- time ---------------------------------------------------------------------

due push_book::tick(steady_time now) {
  due out;
  while (!subscriptions_.empty() && subscriptions_.front().ends <= now)
    if (auto last = end(subscriptions_.begin()))
      out.unwatched.push_back(std::move(*last));
  // Those that were sent one datagram are sent one again.
  std::map<std::uint64_t, push_of> again;
  while (!awaiting_.empty() && awaiting_.front()->ack_due <= now) {
    auto& one = *awaiting_.front();
    if (one.repeated) {
      ++out.given_up;
      settle(one);
      continue;
    }
    one.repeated = true;
    one.ack_due = now + rules_.ack_wait;
    awaiting_.splice(awaiting_.end(), awaiting_, one.place);
    auto& group = again[one.awaited];
    group.view = one.in->of->newest;
    group.what.clusters = one.in->clusters;
    group.what.id = one.awaited;
    group.what.to.push_back(one.client);
  }
  for (auto& [id, group] : again)
    out.again.push_back(std::move(group));
  return out;
}

std::optional<steady_time> push_book::next_due() const {
  std::optional<steady_time> next;
  if (!subscriptions_.empty())
    next = subscriptions_.front().ends;
  if (!awaiting_.empty() && (!next || awaiting_.front()->ack_due < *next))
    next = awaiting_.front()->ack_due;
  return next;
}

} // namespace muster::nacos::udp
