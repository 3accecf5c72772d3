#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "actors/core/base/clock.hpp"
#include "actors/core/distro/table.hpp"

namespace muster::distro {

/// What is still to be asked of one peer, part by part, few questions at a
/// time. Knows no contents.
class pulls {
public:
  using parts = std::vector<std::uint32_t>;

  /// Ask for all parts, of all that the peer knows: at start.
  void want_all() {
    wanted_.set();
    all_ = true;
  }
  void want(std::size_t part) {
    if (!all_)
      wanted_.set(part);
  }

  struct question {
    std::uint64_t round = 0;
    bool all = false;
    parts ask;
  };
  /// The next one, if there is one and no more than `at_once` are under way.
  /// `weight(part)` of the parts of one question add up to about `weight_max`.
  template <class F>
  std::optional<question> next(std::size_t at_once, std::size_t weight_max,
                               steady_time deadline, F&& weight) {
    if (under_way_.size() >= at_once || wanted_.none())
      return std::nullopt;
    question q{++round_, all_, {}};
    std::size_t sum = 0;
    for (std::size_t p = 0; p < bucket_count && q.ask.size() < parts_max; ++p) {
      if (!wanted_.test(p))
        continue;
      sum += weight(p);
      if (!q.ask.empty() && sum > weight_max)
        break;
      wanted_.reset(p);
      q.ask.push_back(static_cast<std::uint32_t>(p));
    }
    under_way_[q.round] = {q.ask, deadline};
    return q;
  }

  /// An answer came; what it does not cover is to be asked again. False if the
  /// question is not under way.
  template <class Parts>
  bool answered(std::uint64_t round, const Parts& covered) {
    const auto found = under_way_.find(round);
    if (found == under_way_.end())
      return false;
    for (const auto p : found->second.ask)
      wanted_.set(p);
    for (const auto p : covered)
      if (p < bucket_count)
        wanted_.reset(p);
    under_way_.erase(found);
    if (idle())
      all_ = false;
    return true;
  }

  /// Questions without an answer are to be asked again; how many there were.
  std::size_t expire(steady_time now) {
    std::size_t lost = 0;
    for (auto it = under_way_.begin(); it != under_way_.end();) {
      if (it->second.deadline > now) {
        ++it;
        continue;
      }
      for (const auto p : it->second.ask)
        wanted_.set(p);
      it = under_way_.erase(it);
      ++lost;
    }
    return lost;
  }

  void give_up() {
    wanted_.reset();
    under_way_.clear();
    all_ = false;
  }

  bool idle() const { return wanted_.none() && under_way_.empty(); }
  bool asks_all() const { return all_; }

private:
  static constexpr std::size_t parts_max = 32;
  struct asked {
    parts ask;
    steady_time deadline;
  };

  std::bitset<bucket_count> wanted_;
  bool all_ = false;
  std::uint64_t round_ = 0;
  std::map<std::uint64_t, asked> under_way_;
};

} // namespace muster::distro
