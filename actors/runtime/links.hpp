#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/actor_addr.hpp>

#include "actors/core/base/backoff.hpp"
#include "actors/core/model/keys.hpp"
#include "actors/runtime/accept.hpp"
#include "actors/runtime/monitors.hpp"

namespace muster::runtime {

/// The actors a connection leans on, by what they serve. Work for one whose
/// handle is not known yet waits, in order, until it is opened; one that dies is
/// opened anew as long as something is wanted of it, and told all of that first.
///
/// Owned by one actor.
template <class Key, class Handle, class Hash = key_hash>
class links {
public:
  /// What the owner does. All are called on the owner's thread.
  struct hooks {
    /// Finds the actor; calls `opened` or `failed`, now or later.
    std::function<void(const Key&)> open;
    /// Whether something is to be redone after a loss.
    std::function<bool(const Key&)> wanted;
    /// Tells a new actor what the old one knew.
    std::function<void(const Key&, const Handle&)> redo;
    /// Calls `retry` after a while.
    std::function<void(const Key&, milliseconds)> later;
    std::function<steady_time()> now;
  };
  using work = std::function<void(const Handle&)>;
  using failure = std::function<void(const error&)>;

  links(caf::local_actor* self, hooks h) : hooks_(std::move(h)), seen_(self) {}

  /// Runs `job` with the actor of `key`, or `fail` if that cannot be had.
  template <class Work, class Failure>
  void with(const Key& key, Work job, Failure fail) {
    auto& l = links_[key];
    if (l.actor) {
      // A copy: what the job does may end this link.
      const auto actor = l.actor;
      job(actor);
      return;
    }
    l.waiting.push_back({std::move(job), std::move(fail)});
    open(key, l);
  }

  void opened(const Key& key, const Handle& actor) {
    if (!actor) {
      failed(key, {errc::unavailable, "the actor that was asked is restarting"});
      return;
    }
    const auto found = links_.find(key);
    if (found == links_.end())
      return;
    auto& l = found->second;
    l.opening = false;
    l.actor = actor;
    by_address_.insert_or_assign(actor.address(), found->first);
    seen_.add(actor);
    if (l.lost)
      hooks_.redo(key, actor);
    l.lost = false;
    for (auto& w : std::exchange(l.waiting, {}))
      w.job(actor);
    tidy(key);
  }

  void failed(const Key& key, const error& e) {
    const auto found = links_.find(key);
    if (found == links_.end())
      return;
    auto& l = found->second;
    l.opening = false;
    for (auto& w : std::exchange(l.waiting, {}))
      w.fail(e);
    if (hooks_.wanted(key))
      retry_later(key, l);
    else
      links_.erase(found);
  }

  /// A down message came; false if it was about nobody of here.
  bool on_down(const caf::actor_addr& address) {
    seen_.gone(address);
    const auto known = by_address_.find(address);
    if (known == by_address_.end())
      return false;
    const auto key = std::move(known->second);
    by_address_.erase(known);
    const auto found = links_.find(key);
    if (found == links_.end() || found->second.actor.address() != address)
      return true;
    found->second.actor = Handle{};
    if (hooks_.wanted(key))
      retry_later(key, found->second);
    else
      links_.erase(found);
    return true;
  }

  /// The actor did not take what it was told: as if it had died.
  void redo_failed(const Key& key) {
    const auto found = links_.find(key);
    if (found == links_.end() || !found->second.actor)
      return;
    const auto address = found->second.actor.address();
    seen_.remove(address);
    on_down(address);
  }

  void retry(const Key& key) {
    const auto found = links_.find(key);
    if (found != links_.end() && !found->second.actor)
      open(key, found->second);
  }

  /// Lets go of an actor nothing is wanted of any more.
  void tidy(const Key& key) {
    const auto found = links_.find(key);
    if (found == links_.end() || !found->second.actor || hooks_.wanted(key))
      return;
    const auto address = found->second.actor.address();
    by_address_.erase(address);
    seen_.remove(address);
    links_.erase(found);
  }

private:
  struct waiting_work {
    work job;
    failure fail;
  };
  struct link {
    Handle actor;
    bool opening = false;
    /// Its actor went: the next one has to be told everything.
    bool lost = false;
    backoff delay;
    std::vector<waiting_work> waiting;
  };

  void open(const Key& key, link& l) {
    if (l.opening)
      return;
    l.opening = true;
    l.delay.started(hooks_.now());
    hooks_.open(Key{key});
  }

  void retry_later(const Key& key, link& l) {
    l.lost = true;
    // The one that died is replaced at once, but not before its supervisor
    // knows of its end too.
    hooks_.later(key, std::max(l.delay.died(hooks_.now()), milliseconds{1}));
  }

  hooks hooks_;
  std::unordered_map<Key, link, Hash> links_;
  std::unordered_map<caf::actor_addr, Key> by_address_;
  monitors seen_;
};

} // namespace muster::runtime
