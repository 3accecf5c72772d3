#include "actors/api/service_directory.hpp"

#include <set>
#include <shared_mutex>
#include <unordered_map>

namespace muster::api {

struct service_directory::shard {
  mutable std::shared_mutex mutex;
  std::unordered_map<service_key, std::shared_ptr<service_slot>, key_hash,
                     key_equal>
    map;
};

service_directory::service_directory()
  : shards_(std::make_unique<std::array<shard, shard_count>>()) {
  // nop
}

service_directory::~service_directory() = default;

std::shared_ptr<service_slot>
service_directory::find(const key_view& key) const {
  const auto& s = (*shards_)[key_hash{}(key) % shard_count];
  const std::shared_lock lock(s.mutex);
  const auto it = s.map.find(key);
  return it == s.map.end() ? nullptr : it->second;
}

std::shared_ptr<service_slot>
service_directory::insert(const service_key& key) {
  auto& s = (*shards_)[key_hash{}(key) % shard_count];
  const std::unique_lock lock(s.mutex);
  auto& slot = s.map[key];
  if (!slot) {
    slot = std::make_shared<service_slot>(key);
    auto view = std::make_shared<naming::service_view>();
    view->key = key;
    slot->publish(std::move(view));
  }
  return slot;
}

void service_directory::erase(const service_key& key) {
  auto& s = (*shards_)[key_hash{}(key) % shard_count];
  const std::unique_lock lock(s.mutex);
  s.map.erase(key);
}

std::vector<std::shared_ptr<service_slot>>
service_directory::in_space(std::string_view space) const {
  std::vector<std::shared_ptr<service_slot>> found;
  for (const auto& s : *shards_) {
    const std::shared_lock lock(s.mutex);
    for (const auto& [key, slot] : s.map)
      if (key.space == space)
        found.push_back(slot);
  }
  return found;
}

std::vector<std::string> service_directory::spaces() const {
  std::set<std::string> found;
  for (const auto& s : *shards_) {
    const std::shared_lock lock(s.mutex);
    for (const auto& [key, slot] : s.map)
      found.insert(key.space);
  }
  return {found.begin(), found.end()};
}

std::size_t service_directory::size() const noexcept {
  std::size_t n = 0;
  for (const auto& s : *shards_) {
    const std::shared_lock lock(s.mutex);
    n += s.map.size();
  }
  return n;
}

} // namespace muster::api
