#pragma once

#include <cstddef>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "actors/api/messages.hpp"

namespace muster::nacos::remote {

/// Bounds of one kind of fuzzy watch.
struct fuzzy_bounds {
  std::size_t patterns_max = 20;
  /// A pattern that matches more names is watched, but the client is told.
  std::size_t matches_max = 500;
};

/// How many distinct patterns this server holds, all clients together, per kind.
/// Any thread. Source: nacos-grpc 6.9, 7.8.
class fuzzy_limits {
public:
  explicit fuzzy_limits(fuzzy_bounds configs = {}, fuzzy_bounds services = {})
    : configs_(configs), services_(services) {
    // nop
  }

  const fuzzy_bounds& of(api::name_kind kind) const noexcept {
    return kind == api::name_kind::config ? configs_ : services_;
  }

  /// `client` holds the pattern from now on. False above the limit: it does not.
  bool hold(const void* client, api::name_kind kind, std::string pattern) {
    const std::lock_guard lock(mutex_);
    auto& patterns = patterns_[kind];
    const auto it = patterns.find(pattern);
    if (it == patterns.end() && patterns.size() >= of(kind).patterns_max)
      return false;
    patterns[std::move(pattern)].insert(client);
    return true;
  }
  void release(const void* client, api::name_kind kind,
               const std::string& pattern) {
    const std::lock_guard lock(mutex_);
    auto& patterns = patterns_[kind];
    const auto it = patterns.find(pattern);
    if (it != patterns.end() && it->second.erase(client) > 0
        && it->second.empty())
      patterns.erase(it);
  }
  /// The client has gone.
  void release_all(const void* client) {
    const std::lock_guard lock(mutex_);
    for (auto& [kind, patterns] : patterns_)
      for (auto it = patterns.begin(); it != patterns.end();) {
        it->second.erase(client);
        it = it->second.empty() ? patterns.erase(it) : std::next(it);
      }
  }

private:
  const fuzzy_bounds configs_;
  const fuzzy_bounds services_;
  std::mutex mutex_;
  std::map<api::name_kind, std::map<std::string, std::set<const void*>>>
    patterns_;
};

} // namespace muster::nacos::remote
