#include "protocols/nacos/grpc/registry.hpp"

#include <list>
#include <mutex>
#include <shared_mutex>

#include "actors/core/base/text.hpp"
#include "protocols/common/params.hpp"

namespace muster::nacos::remote {

namespace {

std::string make_id(std::string_view peer, wall_time now) {
  const auto [ip, port] = parse_peer(peer);
  return std::to_string(to_unix_ms(now)) + '_' + ip + '_' + port;
}

} // namespace

struct registry::shard {
  mutable std::shared_mutex mutex;
  text_map<std::shared_ptr<client>> clients;
  struct promise {
    std::string id;
    std::list<std::string>::iterator place;
  };
  text_map<promise> promised;
  std::list<std::string> promised_order; ///< peers, oldest first

  void keep(std::string_view peer, const std::string& id) {
    if (promised.size() >= promised_max / shard_count) {
      promised.erase(promised_order.front());
      promised_order.pop_front();
    }
    promised_order.emplace_back(peer);
    promised.emplace(peer,
                     promise{id, std::prev(promised_order.end())});
  }
  void forget(std::string_view peer) {
    const auto it = promised.find(peer);
    if (it == promised.end())
      return;
    promised_order.erase(it->second.place);
    promised.erase(it);
  }
};

registry::registry()
  : shards_(std::make_unique<std::array<shard, shard_count>>()) {
  // nop
}

registry::~registry() = default;

registry::shard& registry::shard_of(std::string_view peer) const {
  return (*shards_)[text_hash{}(peer) % shard_count];
}

std::string registry::id_of(std::string_view peer, wall_time now) {
  auto& s = shard_of(peer);
  const std::unique_lock lock(s.mutex);
  if (const auto it = s.clients.find(peer); it != s.clients.end())
    return it->second->info().connection_id;
  if (const auto it = s.promised.find(peer); it != s.promised.end())
    return it->second.id;
  auto id = make_id(peer, now);
  s.keep(peer, id);
  return id;
}

std::shared_ptr<client> registry::add(std::shared_ptr<client> one) {
  auto& s = shard_of(one->peer());
  const std::unique_lock lock(s.mutex);
  s.forget(one->peer());
  auto& place = s.clients[std::string{one->peer()}];
  return std::exchange(place, std::move(one));
}

void registry::remove(const client& one) {
  // Destroyed after the lock is gone.
  std::shared_ptr<client> last;
  {
    auto& s = shard_of(one.peer());
    const std::unique_lock lock(s.mutex);
    const auto it = s.clients.find(one.peer());
    if (it == s.clients.end() || it->second.get() != &one)
      return;
    last = std::move(it->second);
    s.clients.erase(it);
  }
  const std::lock_guard lock(waiting_);
  one_less_.notify_all();
}

bool registry::wait_empty(milliseconds at_most) const {
  std::unique_lock lock(waiting_);
  return one_less_.wait_for(lock, at_most, [this] { return size() == 0; });
}

std::shared_ptr<client> registry::find(std::string_view peer) const {
  const auto& s = shard_of(peer);
  const std::shared_lock lock(s.mutex);
  const auto it = s.clients.find(peer);
  return it == s.clients.end() ? nullptr : it->second;
}

std::shared_ptr<client> registry::find_id(std::string_view id) const {
  for (auto& one : all())
    if (one->info().connection_id == id)
      return one;
  return nullptr;
}

std::vector<std::shared_ptr<client>> registry::all() const {
  std::vector<std::shared_ptr<client>> out;
  for (const auto& s : *shards_) {
    const std::shared_lock lock(s.mutex);
    for (const auto& [peer, one] : s.clients)
      out.push_back(one);
  }
  return out;
}

std::size_t registry::size() const {
  std::size_t n = 0;
  for (const auto& s : *shards_) {
    const std::shared_lock lock(s.mutex);
    n += s.clients.size();
  }
  return n;
}

peer_address parse_peer(std::string_view peer) {
  const auto scheme = peer.find(':');
  const auto port = peer.rfind(':');
  if (scheme == std::string_view::npos || port == scheme)
    return {std::string{peer}, "0"};
  auto ip = common::path_decode(peer.substr(scheme + 1, port - scheme - 1));
  if (ip.starts_with('[') && ip.ends_with(']'))
    ip = ip.substr(1, ip.size() - 2);
  return {std::move(ip), std::string{peer.substr(port + 1)}};
}

} // namespace muster::nacos::remote
