#include "tests/sim/raft/outages.hpp"

#include <algorithm>
#include <string>

#include "tests/sim/raft/checker.hpp"
#include "tests/sim/raft/times.hpp"

namespace muster::sim {

namespace {

/// Ten election times (reliability.md, S4).
constexpr auto back_ms_max =
    10 * static_cast<std::uint64_t>(election_after.count());

} // namespace

void outages::begins(std::uint64_t now, clients meanwhile) {
  phase_ = phase::broken;
  since_ = now;
  clients_ = meanwhile;
  now_ = {};
}

void outages::heals(std::uint64_t now, std::uint64_t blows) {
  phase_ = phase::healed;
  since_ = now;
  blows_ = blows;
  if (clients_ == clients::quiet)
    last_write_ = now;
}

void outages::elected(std::uint64_t now) {
  if (phase_ != phase::rest) {
    ++now_.leaders;
    return;
  }
  if (!episodes_.empty() && ++uncalled_ > 1)
    throw violation{"leaders change " + std::to_string(now - since_)
                    + " ms after a write was done again"};
}

void outages::acknowledged(std::uint64_t begun, std::uint64_t now) {
  now_.longest_ms = std::max(now_.longest_ms, now - last_write_);
  last_write_ = now;
  if (phase_ != phase::healed || begun < since_)
    return;
  now_.back_ms = now - since_;
  // Whole links may bring one more: who leads may be about to lose that. But
  // not if nothing came between leader and majority.
  if (now_.leaders > (blows_ == 0 ? 0 : blows_ + 1))
    throw violation{std::to_string(now_.leaders) + " leaders for "
                    + std::to_string(blows_) + " blows"};
  episodes_.push_back(now_);
  phase_ = phase::rest;
  since_ = now;
  uncalled_ = 0;
}

void outages::look(std::uint64_t now) const {
  if (phase_ == phase::healed && now > since_ + back_ms_max)
    throw violation{"no write is done ten election times after the links are "
                    "whole"};
  const auto is_served =
      phase_ == phase::rest
      || (phase_ == phase::broken && clients_ == clients::served);
  if (is_served && now > std::max(last_write_, since_) + back_ms_max)
    throw violation{"no write is done for ten election times, though a "
                    "majority hears each other"};
}

} // namespace muster::sim
