#include "actors/core/watch/push_core.hpp"

#include <algorithm>

namespace muster::watch {

push_policies default_push_policies() {
  push_policies all;
  const auto of = [&all](push_kind kind) -> push_policy& {
    return all[static_cast<std::size_t>(kind)];
  };
  auto& service = of(push_kind::service);
  service.answer_timeout = milliseconds{5'000};
  service.retry_delay = milliseconds{1'000};
  service.delay_grows = false;
  service.tries_max = 0;
  auto& probe = of(push_kind::probe);
  probe.answer_timeout = milliseconds{5'000};
  probe.tries_max = 1;
  auto& reset = of(push_kind::reset);
  reset.tries_max = 1;
  reset.at_limit = push_policy::limit::give_up;
  return all;
}

push_core::output push_core::open(steady_time now) {
  output out;
  opens_at_ = std::min(opens_at_, now);
  release(out, now);
  return out;
}

push_core::output push_core::enqueue(std::string_view key, push_kind kind,
                                     steady_time now) {
  output out;
  if (closed_)
    return out;
  auto found = entries_.find(key);
  const bool fresh = found == entries_.end();
  if (fresh && entries_.size() >= limits_.keys_max) {
    out.disconnect = "more than " + std::to_string(limits_.keys_max)
                     + " pushes wait for an answer";
    return out;
  }
  if (fresh)
    found = entries_.emplace(key, entry{}).first;
  auto& n = *found;
  n.second.kind = kind;
  n.second.tries = 0;
  if (fresh)
    held_.push_back(&n);
  const bool held = n.second.request_id == 0;
  if (is_open(now))
    release(out, now);
  if (!held) {
    disarm(n);
    send(n, out, now);
  }
  return out;
}

push_core::output push_core::answered(std::uint64_t request_id, bool ok,
                                      steady_time now) {
  output out;
  const auto found = requests_.find(request_id);
  if (found == requests_.end())
    return out;
  auto& n = *found->second;
  if (ok) {
    out.done.push_back(n.first);
    erase(n);
  } else if (!n.second.failed) {
    fail(n, out, now);
  }
  return out;
}

push_core::output push_core::tick(steady_time now) {
  output out;
  if (is_open(now))
    release(out, now);
  // Each step moves its timer behind `now` or takes it away.
  while (!timers_.empty() && timers_.begin()->first <= now) {
    auto& n = *requests_.at(timers_.begin()->second);
    if (n.second.failed) {
      disarm(n);
      send(n, out, now);
    } else {
      fail(n, out, now);
    }
  }
  return out;
}

void push_core::forget(std::string_view key) {
  const auto found = entries_.find(key);
  if (found != entries_.end())
    erase(*found);
}

push_core::output push_core::closed() {
  output out;
  closed_ = true;
  for (const auto& [key, state] : entries_)
    out.given_up.push_back(key);
  std::ranges::sort(out.given_up);
  held_.clear();
  timers_.clear();
  requests_.clear();
  entries_.clear();
  return out;
}

std::optional<steady_time> push_core::next_due() const {
  if (!held_.empty())
    return timers_.empty() ? opens_at_
                           : std::min(opens_at_, timers_.begin()->first);
  if (timers_.empty())
    return std::nullopt;
  return timers_.begin()->first;
}

void push_core::release(output& out, steady_time now) {
  for (auto* n : std::exchange(held_, {}))
    send(*n, out, now);
}

void push_core::send(node& n, output& out, steady_time now) {
  auto& e = n.second;
  e.request_id = ++last_request_id_;
  e.failed = false;
  ++e.tries;
  // At least a moment, or `tick` would not come to an end.
  e.due = now + std::max(policy(n).answer_timeout, milliseconds{1});
  requests_.emplace(e.request_id, &n);
  timers_.emplace(e.due, e.request_id);
  out.sends.push_back({n.first, e.request_id});
}

void push_core::fail(node& n, output& out, steady_time now) {
  auto& e = n.second;
  const auto& rules = policy(n);
  if (rules.tries_max > 0 && e.tries >= rules.tries_max) {
    if (rules.at_limit == push_policy::limit::disconnect)
      out.disconnect = "no good answer to " + std::to_string(e.tries)
                       + " pushes of " + n.first;
    out.given_up.push_back(n.first);
    erase(n);
    return;
  }
  timers_.erase({e.due, e.request_id});
  e.failed = true;
  e.due = now + rules.retry_delay * (rules.delay_grows ? e.tries : 1);
  timers_.emplace(e.due, e.request_id);
}

void push_core::disarm(const node& n) {
  timers_.erase({n.second.due, n.second.request_id});
  requests_.erase(n.second.request_id);
}

void push_core::erase(const node& n) {
  disarm(n);
  std::erase(held_, &n);
  entries_.erase(entries_.find(n.first));
}

} // namespace muster::watch
