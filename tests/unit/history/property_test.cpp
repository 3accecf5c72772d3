// Histories made by chance: a real register's are right, one with a mistake is
// not, and a search that tries every order agrees about small ones.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>

#include "tests/unit/history/told.hpp"

using namespace muster::history;

namespace {

using history = std::vector<operation>;

class dice {
public:
  explicit dice(std::uint64_t seed) : engine_(seed) {}
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(n));
  }
  bool percent(int share) { return below(100) < share; }

private:
  std::mt19937_64 engine_;
};

// -- a real register ----------------------------------------------------------

/// An operation and when it takes effect (`never`: it does not).
struct planned {
  operation o;
  std::int64_t effective = never;
  bool answered = true;
};

constexpr int nodes = 3;
/// How far each node is behind what is committed.
constexpr std::int64_t lag_of[nodes] = {0, 40, 400};

struct mix {
  int clients = 6;
  int operations = 60;
  int unknown_percent = 3;
  int delete_percent = 5;
};

void plan_kind(planned& p, int sequence, const mix& m, dice& d) {
  if (d.percent(35)) {
    p.o.what = action::local_read;
  } else if (d.percent(20)) {
    p.o.what = action::read;
  } else if (d.percent(m.delete_percent)) {
    p.o.what = action::remove;
  } else {
    p.o.what = d.percent(50) ? action::publish : action::compare_and_set;
    p.o.content = p.o.client + "-" + std::to_string(sequence);
  }
}

std::vector<planned> plan(const mix& m, dice& d) {
  std::vector<planned> out;
  for (int c = 0; c < m.clients; ++c) {
    auto now = d.below(50);
    for (int i = 0; i < m.operations; ++i) {
      planned p;
      p.o.client = "c" + std::to_string(c);
      p.o.key = "k";
      plan_kind(p, i, m, d);
      const auto node = d.below(nodes);
      p.o.node = "n" + std::to_string(node);
      p.o.invoked = now + d.below(30);
      p.effective = p.o.invoked + d.below(40);
      p.o.returned = p.effective + d.below(20);
      // A node shows at once what it answers.
      if (p.o.what != action::local_read)
        p.o.returned += lag_of[node];
      p.answered = !d.percent(m.unknown_percent);
      if (!p.answered) {
        p.effective = d.percent(30)   ? never
                      : d.percent(30) ? p.effective + d.below(2000)
                                      : p.effective;
        now = p.o.invoked + 100;
      } else {
        now = p.o.returned;
      }
      out.push_back(std::move(p));
    }
  }
  return out;
}

/// What is stored after each moment.
using past = std::map<std::int64_t, std::optional<std::string>>;

std::optional<std::string> stored_at(const past& all, std::int64_t moment) {
  const auto after = all.upper_bound(moment);
  return after == all.begin() ? std::nullopt : std::prev(after)->second;
}

/// Compare-and-sets expect what their node showed at invocation.
past take_effect(std::vector<planned>& plans, dice& d) {
  std::ranges::stable_sort(plans, {}, &planned::effective);
  past all;
  for (auto& p : plans) {
    if (p.effective == never)
      continue;
    const auto now = stored_at(all, p.effective);
    auto& o = p.o;
    if (o.what == action::compare_and_set) {
      const auto lag = lag_of[o.node.back() - '0'] + d.below(30);
      o.expected = stored_at(all, p.effective - lag).value_or("nothing yet");
      o.swapped = !now || *now == o.expected;
    }
    if (o.what == action::publish
        || (o.what == action::compare_and_set && o.swapped))
      all[p.effective] = o.content;
    else if (o.what == action::remove)
      all[p.effective] = std::nullopt;
    else if (o.what == action::read)
      o.content = now;
  }
  return all;
}

history run_register(const mix& m, dice& d) {
  auto plans = plan(m, d);
  const auto all = take_effect(plans, d);
  history out;
  for (auto& p : plans) {
    auto& o = p.o;
    if (o.what == action::local_read)
      o.content = stored_at(all, p.effective - lag_of[o.node.back() - '0']);
    if (p.answered) {
      out.push_back(std::move(o));
      continue;
    }
    const bool reads = o.what == action::read || o.what == action::local_read;
    o.outcome = !reads && p.effective == never && d.percent(50) ? fate::failed
                                                                : fate::unknown;
    o.returned = o.outcome == fate::failed ? o.invoked + 50 : never;
    if (reads)
      o.content.reset();
    out.push_back(std::move(o));
  }
  return out;
}

// -- planted mistakes ---------------------------------------------------------

bool stores(const operation& o) {
  return o.what == action::publish
         || (o.what == action::compare_and_set
             && (o.swapped || o.outcome == fate::unknown));
}

/// Two writes, surely one after the other, before `moment`.
const operation* surely_overwritten(const history& h, std::int64_t moment) {
  for (const auto& old : h) {
    if (!stores(old) || old.outcome != fate::ok)
      continue;
    for (const auto& newer : h)
      if (stores(newer) && newer.outcome == fate::ok
          && old.returned < newer.invoked && newer.returned < moment)
        return &old;
  }
  return nullptr;
}

/// A late read shows what was overwritten.
bool plant_stale_read(history& h) {
  for (auto& o : h)
    if (o.what == action::read && o.outcome == fate::ok)
      if (const auto* old = surely_overwritten(h, o.invoked)) {
        o.content = old->content;
        return true;
      }
  return false;
}

/// A late compare-and-set replaces what was overwritten.
bool plant_lost_update(history& h) {
  for (auto& o : h)
    if (o.what == action::compare_and_set && o.outcome == fate::ok)
      if (const auto* old = surely_overwritten(h, o.invoked)) {
        o.expected = *old->content;
        o.swapped = true;
        return true;
      }
  return false;
}

/// A read shows a write that is said to have failed.
bool plant_read_of_failed(history& h) {
  for (auto& o : h)
    if (stores(o) && o.outcome == fate::ok
        && std::ranges::any_of(h, [&](const auto& r) {
             return r.what == action::read && r.outcome == fate::ok
                    && r.content == o.content;
           })) {
      o.outcome = fate::failed;
      return true;
    }
  return false;
}

/// An unknown write that was shown and overwritten is shown again.
bool plant_second_effect(history& h) {
  for (auto& o : h) {
    if (o.what != action::read || o.outcome != fate::ok)
      continue;
    const auto* old = surely_overwritten(h, o.invoked);
    if (!old)
      continue;
    const auto shown = std::ranges::any_of(h, [&](const auto& r) {
      return r.what == action::read && r.outcome == fate::ok
             && r.content == old->content
             && surely_overwritten(h, o.invoked) == old && &r != &o;
    });
    if (!shown)
      continue;
    o.content = old->content;
    auto& write = h[static_cast<std::size_t>(old - h.data())];
    write.outcome = fate::unknown;
    write.returned = never;
    return true;
  }
  return false;
}

// -- every order --------------------------------------------------------------

bool has_to_be_before(const operation& a, const operation& b) {
  if (a.outcome == fate::unknown || a.returned >= b.invoked)
    return false;
  return b.what != action::local_read || a.node == b.node;
}

/// Tries all orders of what happened with all choices of what is unknown.
class every_order {
public:
  explicit every_order(const history& h) {
    for (const auto& o : h)
      if (o.outcome != fate::failed
          && (o.outcome == fate::ok
              || (o.what != action::read && o.what != action::local_read)))
        all_.push_back(o);
    used_.resize(all_.size());
  }

  bool any() { return any_from({}); }

private:
  using content = std::optional<std::string>;

  bool any_from(const content& stored) {
    bool done = true;
    for (std::size_t i = 0; i < all_.size(); ++i)
      done = done && (used_[i] || all_[i].outcome == fate::unknown);
    if (done)
      return true;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (used_[i] || !may_be_next(i))
        continue;
      auto after = stored;
      if (!happens(all_[i], after))
        continue;
      used_[i] = true;
      const bool found = any_from(after);
      used_[i] = false;
      if (found)
        return true;
    }
    return false;
  }

  bool may_be_next(std::size_t i) const {
    for (std::size_t k = 0; k < all_.size(); ++k)
      if (k != i && !used_[k] && has_to_be_before(all_[k], all_[i]))
        return false;
    return true;
  }

  static bool happens(const operation& o, content& stored) {
    switch (o.what) {
    case action::publish:
      stored = o.content;
      return true;
    case action::remove:
      stored.reset();
      return true;
    case action::compare_and_set: {
      const bool fits = !stored || *stored == o.expected;
      const bool swaps = o.swapped || o.outcome == fate::unknown;
      if (fits && swaps)
        stored = o.content;
      return fits == swaps;
    }
    case action::read:
    case action::local_read:
      return stored == o.content;
    }
    return false;
  }

  history all_;
  std::vector<bool> used_;
};

/// Few contents, so that many of them are stored twice or not at all.
history small_history(dice& d) {
  const std::string contents[] = {"a", "b", "c"};
  told h;
  const auto count = 2 + d.below(6);
  for (std::int64_t i = 0; i < count; ++i) {
    h.at("n" + std::to_string(d.below(2)));
    const auto from = d.below(20);
    const auto to = from + d.below(12);
    const auto outcome = d.percent(25)   ? fate::unknown
                         : d.percent(10) ? fate::failed
                                         : fate::ok;
    const auto& some = contents[d.below(3)];
    switch (d.below(6)) {
    case 0:
    case 1:
      h.publish(some, from, to, outcome);
      break;
    case 2:
      h.swap(contents[d.below(3)], some, d.percent(60), from, to, outcome);
      break;
    case 3:
      h.remove(from, to, outcome);
      break;
    case 4:
      h.read(d.percent(15) ? "" : some, from, to);
      break;
    default:
      h.local(d.percent(15) ? "" : some, from, to);
    }
  }
  return h.all();
}

} // namespace

TEST_CASE("every history of a real register is right") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    dice d(seed);
    const auto h = run_register({}, d);
    CHECK(check_key(h) == verdict::linearizable);
  }
}

TEST_CASE("a planted mistake is found and told by few operations") {
  const std::pair<const char*, bool (*)(history&)> mistakes[] = {
      {"stale read", plant_stale_read},
      {"lost update", plant_lost_update},
      {"read of a failed write", plant_read_of_failed},
      {"second effect of an unknown write", plant_second_effect},
  };
  for (const auto& [name, plant] : mistakes) {
    CAPTURE(name);
    int planted = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      CAPTURE(seed);
      dice d(seed);
      auto h = run_register({.unknown_percent = 1, .delete_percent = 0}, d);
      if (!plant(h))
        continue;
      ++planted;
      CHECK(check_key(h) == verdict::violation);
      if (planted <= 3) {
        const auto core = offending(h);
        CHECK(check_key(core) == verdict::violation);
        CHECK(core.size() <= 20);
      }
    }
    CHECK(planted >= 10);
  }
}

TEST_CASE("trying every order comes to the same") {
  int right = 0;
  int wrong = 0;
  for (std::uint64_t seed = 1; seed <= 40'000; ++seed) {
    CAPTURE(seed);
    dice d(seed);
    const auto h = small_history(d);
    const bool expected = every_order(h).any();
    REQUIRE((check_key(h) == verdict::linearizable) == expected);
    ++(expected ? right : wrong);
  }
  CHECK(right > 1'000);
  CHECK(wrong > 1'000);
}

TEST_CASE("100,000 operations over 50 keys") {
  std::size_t operations = 0;
  for (std::uint64_t key = 1; key <= 50; ++key) {
    CAPTURE(key);
    dice d(key);
    const auto h = run_register({.clients = 20, .operations = 100}, d);
    operations += h.size();
    CHECK(check_key(h) == verdict::linearizable);
  }
  CHECK(operations == 100'000);
}
