#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor.hpp>
#include <caf/message.hpp>
#include <caf/message_id.hpp>

#include "actors/core/watch/hub.hpp"

namespace muster::runtime {

/// Tells many targets of one thing, a chunk at a time, so that a hundred
/// thousand watchers do not hold up a scheduler thread.
///
/// `Event` is a message with `tokens`. A newer event of the same name takes the
/// place of the older one that is still being told: watchers need the last
/// state, not each. So what waits is bounded by names times watchers. Owned by
/// one actor.
template <class Event>
class fan_out {
public:
  using targets = std::vector<watch::hub<caf::actor>::fired>;

  /// `to` is everybody who watches `name` now.
  void add(std::string name, targets to, Event event) {
    if (to.empty())
      return;
    std::erase_if(jobs_, [&](const job& j) { return j.name == name; });
    jobs_.push_back({std::move(name), std::move(to), 0, std::move(event)});
  }

  bool empty() const noexcept { return jobs_.empty(); }

  /// Sends at most `chunk` messages.
  void step(std::size_t chunk) {
    while (!jobs_.empty() && chunk > 0) {
      auto& j = jobs_.front();
      for (; j.next < j.to.size() && chunk > 0; ++j.next, --chunk)
        send(j);
      if (j.next == j.to.size())
        jobs_.pop_front();
    }
  }

private:
  struct job {
    std::string name;
    targets to;
    std::size_t next = 0;
    Event event;
    /// The event with `event.tokens`, shared by targets with equal tokens.
    caf::message made{};
  };

  void send(job& j) {
    auto& [target, tokens] = j.to[j.next];
    if (j.made.empty() || j.event.tokens != tokens) {
      j.event.tokens = std::move(tokens);
      j.made = caf::make_message(j.event);
    }
    target->enqueue(nullptr, caf::make_message_id(), j.made, nullptr);
  }

  std::deque<job> jobs_;
};

} // namespace muster::runtime
