// Who is told (hub), which names (patterns), who is still there (liveness).
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "actors/core/watch/hub.hpp"
#include "actors/core/watch/liveness.hpp"
#include "actors/core/watch/pattern.hpp"

using namespace muster;
using namespace muster::watch;

namespace {

using hub_type = hub<int>;
using names = std::vector<std::string>;

std::map<int, std::vector<std::uint64_t>> fired(const hub_type& h,
                                                std::string_view name) {
  std::map<int, std::vector<std::uint64_t>> told;
  for (auto& f : h.fire(name)) {
    CHECK_FALSE(told.contains(f.target));
    told[f.target] = f.tokens;
  }
  return told;
}

steady_time at(std::int64_t ms) {
  return steady_time{milliseconds{ms}};
}

} // namespace

TEST_CASE("hub: a name fires to its watchers, grouped by target") {
  hub_type h(100);
  REQUIRE(h.watch({1, 7}, names{"a", "b"}));
  REQUIRE(h.watch({1, 5}, names{"a"}));
  REQUIRE(h.watch({2, 5}, names{"a", "a"}));
  REQUIRE(h.watch({1, 7}, names{"a"}));
  CHECK(h.size() == 4);
  using told = std::map<int, std::vector<std::uint64_t>>;
  CHECK(fired(h, "a") == told{{1, {5, 7}}, {2, {5}}});
  CHECK(fired(h, "b") == told{{1, {7}}});
  CHECK(fired(h, "c").empty());

  h.unwatch({1, 7}, names{"a", "unknown"});
  CHECK(fired(h, "a") == told{{1, {5}}, {2, {5}}});
  h.unwatch({1, 7}, {});
  CHECK(fired(h, "b").empty());
  CHECK(h.knows(1));
  h.drop(1);
  CHECK_FALSE(h.knows(1));
  h.drop(1);
  CHECK(fired(h, "a") == told{{2, {5}}});
  h.unwatch({2, 5}, names{"a"});
  CHECK(h.empty());
}

TEST_CASE("hub: above the bound nothing is added") {
  hub_type h(3);
  REQUIRE(h.watch({1, 1}, names{"a", "b"}));
  const auto refused = h.watch({2, 1}, names{"a", "b"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::resource_exhausted);
  CHECK(h.size() == 2);
  CHECK_FALSE(h.knows(2));
  CHECK(h.watch({2, 1}, names{"a"}));
  CHECK(h.watch({1, 1}, names{"a", "b"}));
  CHECK(h.watch({3, 1}, {}));
  CHECK_FALSE(h.knows(3));
}

TEST_CASE("hub: agrees with a plain set of triples") {
  std::mt19937 random(42);
  const auto below = [&random](unsigned n) {
    return static_cast<int>(random() % n);
  };
  hub_type h(1'000);
  std::set<std::tuple<int, std::uint64_t, std::string>> model;
  for (int i = 0; i < 5'000; ++i) {
    const int target = below(4);
    const auto token = static_cast<std::uint64_t>(below(3));
    const std::string name(1, static_cast<char>('a' + below(6)));
    switch (below(5)) {
    case 0:
      h.unwatch({target, token}, names{name});
      model.erase({target, token, name});
      break;
    case 1:
      if (below(4) == 0) {
        h.drop(target);
        std::erase_if(model, [&](auto& t) { return std::get<0>(t) == target; });
      }
      break;
    default:
      REQUIRE(h.watch({target, token}, names{name}));
      model.emplace(target, token, name);
    }
    REQUIRE(h.size() == model.size());
    std::map<int, std::vector<std::uint64_t>> want;
    for (const auto& [t, k, n] : model)
      if (n == name)
        want[t].push_back(k);
    REQUIRE(fired(h, name) == want);
  }
}

TEST_CASE("pattern: exact, *, x*, *x, *x*; a star elsewhere never matches") {
  struct row {
    const char* pattern;
    const char* text;
    bool matches;
  };
  for (const auto& r : std::vector<row>{
           {"abc", "abc", true},  {"abc", "abcd", false},
           {"", "", true},        {"", "a", false},
           {"*", "", true},       {"*", "abc", true},
           {"ab*", "ab", true},   {"ab*", "abc", true},
           {"ab*", "xab", false}, {"*bc", "abc", true},
           {"*bc", "bcx", false}, {"*b*", "abc", true},
           {"*b*", "b", true},    {"*b*", "ac", false},
           {"**", "abc", true},   {"a*c", "abc", false},
           {"a*c", "a*c", false}, {"*a*c", "aac", false},
           {"a**", "a*", false},  {"ABC", "abc", false},
       }) {
    CAPTURE(r.pattern);
    CAPTURE(r.text);
    CHECK(item_pattern(r.pattern).matches(r.text) == r.matches);
  }
  const name_pattern both{item_pattern("G*"), item_pattern("*.yml")};
  CHECK(both.matches("G1", "a.yml"));
  CHECK_FALSE(both.matches("H1", "a.yml"));
  CHECK_FALSE(both.matches("G1", "a.json"));
}

TEST_CASE("liveness: idle 20 s is probed, 5 s without a good answer is dead") {
  using verdict = liveness::verdict;
  liveness client({}, at(0));
  CHECK(client.tick(at(19'999)) == verdict::alive);
  client.active(at(10'000));
  CHECK(client.tick(at(20'000)) == verdict::alive);
  CHECK(client.next_due() == at(30'000));
  CHECK(client.tick(at(30'000)) == verdict::probe);
  CHECK(client.tick(at(30'001)) == verdict::alive);
  SUBCASE("more is borne") {
    client.probe_answered(true, at(31'000));
    client.bear(milliseconds{60'000});
    CHECK(client.next_due() == at(91'000));
    CHECK(client.tick(at(51'000)) == verdict::alive);
    client.bear(milliseconds{20'000});
    CHECK(client.tick(at(51'000)) == verdict::probe);
  }
  SUBCASE("no answer") {
    CHECK(client.tick(at(34'999)) == verdict::alive);
    CHECK(client.tick(at(35'000)) == verdict::dead);
  }
  SUBCASE("a bad answer, or another sign of life, does not save it") {
    client.probe_answered(false, at(31'000));
    client.active(at(32'000));
    CHECK(client.tick(at(35'000)) == verdict::dead);
  }
  SUBCASE("a good answer") {
    client.probe_answered(true, at(31'000));
    CHECK(client.tick(at(35'000)) == verdict::alive);
    CHECK(client.tick(at(51'000)) == verdict::probe);
  }
}
