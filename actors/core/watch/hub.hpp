#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/core/base/result.hpp"
#include "actors/core/base/text.hpp"

/// Who is told when something changes.
namespace muster::watch {

/// Watchers x names, in both directions.
///
/// `Target` is an opaque, copyable handle ordered by `<`. A watcher is a target
/// and a token; the token comes back when a name fires, so that one target can
/// hold many watches. Names need not exist.
///
/// Owned by one actor, no locks. Every call costs O(log n) per name it touches;
/// a watch takes about 200 bytes beside its name. Bound: `watches_max` pairs of
/// watcher and name.
template <class Target>
class hub {
public:
  struct watcher {
    Target target;
    std::uint64_t token = 0;
  };

  /// A target with those of its tokens whose watches fired, rising.
  struct fired {
    Target target;
    std::vector<std::uint64_t> tokens;
  };

  explicit hub(std::size_t watches_max) : watches_max_(watches_max) {}

  /// Adds watches; one that is there already stays. `resource_exhausted` above
  /// the bound: then nothing was added.
  result<void> watch(const watcher& who, std::span<const std::string> names) {
    const auto known = by_watcher_.find(who);
    std::size_t added = 0;
    for (const auto& name : names)
      if (known == by_watcher_.end() || !known->second.contains(&name))
        ++added;
    if (added > watches_max_ - size_)
      return fail(errc::resource_exhausted,
                  "more than " + std::to_string(watches_max_) + " watches");
    if (names.empty())
      return {};
    auto& watched = by_watcher_[who];
    for (const auto& name : names) {
      const auto entry = by_name_.try_emplace(name).first;
      if (!entry->second.insert(who).second)
        continue;
      watched.insert(&entry->first);
      ++size_;
    }
    return {};
  }

  /// Forgets these names of a watcher; none given = all of them.
  void unwatch(const watcher& who, std::span<const std::string> names) {
    const auto known = by_watcher_.find(who);
    if (known == by_watcher_.end())
      return;
    if (names.empty()) {
      forget(known);
      return;
    }
    for (const auto& name : names)
      if (known->second.erase(&name) > 0)
        unlink(name, who);
    if (known->second.empty())
      by_watcher_.erase(known);
  }

  /// Forgets all watchers of a target.
  void drop(const Target& target) {
    auto next = by_watcher_.lower_bound(watcher{target, 0});
    while (next != by_watcher_.end() && !(target < next->first.target))
      next = forget(next);
  }

  /// Whether the target has any watch.
  bool knows(const Target& target) const {
    const auto found = by_watcher_.lower_bound(watcher{target, 0});
    return found != by_watcher_.end() && !(target < found->first.target);
  }

  /// Who watches `name`, one element per target. The watches stay.
  std::vector<fired> fire(std::string_view name) const {
    std::vector<fired> told;
    const auto entry = by_name_.find(name);
    if (entry == by_name_.end())
      return told;
    for (const auto& who : entry->second) {
      if (told.empty() || told.back().target < who.target)
        told.push_back({who.target, {}});
      told.back().tokens.push_back(who.token);
    }
    return told;
  }

  /// Number of watches (pairs of watcher and name).
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

private:
  struct before {
    bool operator()(const watcher& a, const watcher& b) const {
      if (a.target < b.target)
        return true;
      return !(b.target < a.target) && a.token < b.token;
    }
  };
  /// Names are kept once, as keys of `by_name_`, whose nodes never move.
  struct name_before {
    bool operator()(const std::string* a, const std::string* b) const {
      return *a < *b;
    }
  };
  using name_map = text_map<std::set<watcher, before>>;
  using watcher_map =
      std::map<watcher, std::set<const std::string*, name_before>, before>;

  void unlink(const std::string& name, const watcher& who) {
    const auto entry = by_name_.find(name);
    entry->second.erase(who);
    --size_;
    if (entry->second.empty())
      by_name_.erase(entry);
  }

  typename watcher_map::iterator forget(typename watcher_map::iterator known) {
    for (const auto* name : known->second)
      unlink(*name, known->first);
    return by_watcher_.erase(known);
  }

  const std::size_t watches_max_;
  std::size_t size_ = 0;
  name_map by_name_;
  watcher_map by_watcher_;
};

} // namespace muster::watch
