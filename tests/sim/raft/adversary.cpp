#include "tests/sim/raft/adversary.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace muster::sim {

namespace {

using fault = links::fault;

template <class T>
void shuffle(std::vector<T>& all, random& chance) {
  for (auto left = all.size(); left > 1; --left)
    std::swap(all[left - 1], all[chance.next() % left]);
}

/// What all have: a time at which it is over.
class timed : public adversary {
public:
  timed(std::uint64_t now, std::uint64_t ms) : end_(now + ms) {}
  bool is_over(std::uint64_t now) const override { return now >= end_; }

protected:
  std::uint64_t end_;
};

class torn final : public timed {
public:
  torn(const battlefield& at, random& chance)
      : timed(at.now, chance.between(200, 8'000)) {}

  void act(const battlefield& at, links& ways, random& chance) override {
    if (std::exchange(done_, true))
      return;
    const auto kind = chance.between(0, 3);
    const auto lonely = at.leader.value != 0 && chance.chance(500'000)
                            ? at.leader
                            : chance.pick(at.nodes);
    const auto side = chance.next();
    for (const auto a : at.nodes)
      for (const auto b : at.nodes) {
        const auto a_left = ((side >> a.value) & 1U) != 0;
        const auto b_left = ((side >> b.value) & 1U) != 0;
        const auto apart = kind == 0   ? a_left != b_left
                           : kind == 1 ? a == lonely || b == lonely
                           : kind == 2 ? a_left && !b_left // one way
                                       : a == lonely;      // deaf or mute
        // Now and then one node sees both sides.
        const auto sees_both =
            kind == 0 && (a == lonely || b == lonely) && (side & 1U) != 0;
        if (apart && !sees_both)
          ways.stop(a, b, fault::cut);
      }
    ++blows_;
  }

private:
  bool done_ = false;
};

/// FoundationDB's best finder of bugs.
class swizzle final : public adversary {
public:
  swizzle(const battlefield& at, random& chance) : next_at_(at.now) {
    for (std::size_t a = 0; a < at.nodes.size(); ++a)
      for (std::size_t b = a + 1; b < at.nodes.size(); ++b)
        if (chance.chance(600'000))
          chosen_.emplace_back(at.nodes[a], at.nodes[b]);
    shuffle(chosen_, chance);
    how_ = chance.chance(500'000) ? fault::cut : fault::clogged;
    pause_ms_ = chance.between(20, 600);
  }

  void act(const battlefield& at, links& ways, random& chance) override {
    if (at.now < next_at_ || restored_ == chosen_.size())
      return;
    next_at_ = at.now + pause_ms_;
    if (stopped_ < chosen_.size()) {
      const auto [a, b] = chosen_[stopped_++];
      ways.stop_both(a, b, how_);
      if (a == at.leader || b == at.leader)
        ++blows_;
      if (stopped_ == chosen_.size())
        shuffle(chosen_, chance);
    } else {
      const auto [a, b] = chosen_[restored_++];
      ways.restore_both(a, b);
    }
  }
  bool is_over(std::uint64_t now) const override {
    return restored_ == chosen_.size() && now >= next_at_;
  }

private:
  std::vector<std::pair<node_id, node_id>> chosen_;
  fault how_ = fault::cut;
  std::uint64_t pause_ms_ = 0;
  std::uint64_t next_at_;
  std::size_t stopped_ = 0;
  std::size_t restored_ = 0;
};

class rolling final : public adversary {
public:
  rolling(const battlefield& at, random& chance)
      : order_(at.nodes), next_at_(at.now),
        hold_ms_(chance.between(300, 5'000)) {
    shuffle(order_, chance);
  }

  void act(const battlefield& at, links& ways, random&) override {
    if (at.now < next_at_)
      return;
    next_at_ = at.now + hold_ms_;
    if (turn_ > 0)
      ways.rejoin(order_[turn_ - 1], at.nodes);
    if (turn_ < order_.size()) {
      ways.isolate(order_[turn_], at.nodes);
      ++blows_;
    }
    ++turn_;
  }
  bool is_over(std::uint64_t) const override { return turn_ > order_.size(); }

private:
  std::vector<node_id> order_;
  std::uint64_t next_at_;
  std::uint64_t hold_ms_;
  std::size_t turn_ = 0;
};

/// Two majorities that share one node. Whoever leads one of them keeps the
/// other quiet through the bridge.
class bridge : public timed {
public:
  bridge(const battlefield& at, random& chance)
      : timed(at.now, chance.between(3'000, 20'000)) {}

  void act(const battlefield& at, links& ways, random& chance) override {
    if (std::exchange(done_, true))
      return;
    order_ = at.nodes;
    shuffle(order_, chance);
    // The last one is the bridge.
    for (std::size_t a = 0; a + 1 < order_.size(); ++a)
      for (std::size_t b = a + 1; b + 1 < order_.size(); ++b)
        if (a % 2 != b % 2)
          ways.stop_both(order_[a], order_[b], fault::cut);
  }
  bool leaves_majority() const override { return true; }

protected:
  std::vector<node_id> order_;

private:
  bool done_ = false;
};

/// To hand over to who is not reached takes the writes of as long as that is
/// tried. A leader that is reached does so, as often as it is told.
class misplacing final : public bridge {
public:
  using bridge::bridge;

  void act(const battlefield& at, links& ways, random& chance) override {
    bridge::act(at, ways, chance);
    if (std::exchange(seen_, at.leader) != at.leader)
      ++blows_;
  }
  node_id wanted_leader() const override {
    return order_.empty() ? node_id{} : order_.front();
  }

private:
  node_id seen_;
};

class flapping final : public timed {
public:
  flapping(const battlefield& at, random& chance)
      : timed(at.now, chance.between(5'000, 20'000)),
        patience_ms_(chance.between(100, 2'000)) {}

  void act(const battlefield& at, links& ways, random&) override {
    if (at.leader != seen_) {
      seen_ = at.leader;
      since_ = at.now;
    }
    if (seen_.value == 0 || seen_ == cut_off_ || at.now < since_ + patience_ms_)
      return;
    ways.restore_all();
    ways.isolate(seen_, at.nodes);
    cut_off_ = seen_;
    ++blows_;
  }

private:
  std::uint64_t patience_ms_;
  std::uint64_t since_ = 0;
  node_id seen_;
  node_id cut_off_;
};

class deaf final : public timed {
public:
  deaf(const battlefield& at, random& chance)
      : timed(at.now, chance.between(3'000, 20'000)) {}

  void act(const battlefield& at, links& ways, random&) override {
    if (at.leader.value == 0 || std::exchange(done_, true))
      return;
    for (const auto other : at.nodes)
      if (other != at.leader)
        ways.stop(other, at.leader, fault::cut);
    ++blows_;
  }
  bool leaves_majority() const override { return true; }

private:
  bool done_ = false;
};

constexpr std::array<std::pair<std::string_view, adversary_kind>, 7> names{
    {{"torn", adversary_kind::torn},
     {"swizzle", adversary_kind::swizzle},
     {"rolling", adversary_kind::rolling},
     {"bridge", adversary_kind::bridge},
     {"misplacing", adversary_kind::misplacing},
     {"flapping", adversary_kind::flapping},
     {"deaf", adversary_kind::deaf}}};

} // namespace

std::optional<adversary_kind> adversary_named(std::string_view name) {
  const auto* found =
      std::ranges::find(names, name, [](const auto& n) { return n.first; });
  if (found == names.end())
    return std::nullopt;
  return found->second;
}

std::unique_ptr<adversary>
make_adversary(adversary_kind kind, const battlefield& at, random& chance) {
  switch (kind) {
  case adversary_kind::torn:
    return std::make_unique<torn>(at, chance);
  case adversary_kind::swizzle:
    return std::make_unique<swizzle>(at, chance);
  case adversary_kind::rolling:
    return std::make_unique<rolling>(at, chance);
  case adversary_kind::bridge:
    return std::make_unique<bridge>(at, chance);
  case adversary_kind::misplacing:
    return std::make_unique<misplacing>(at, chance);
  case adversary_kind::flapping:
    return std::make_unique<flapping>(at, chance);
  case adversary_kind::deaf:
    return std::make_unique<deaf>(at, chance);
  }
  return nullptr;
}

} // namespace muster::sim
