// Two ways from one configuration to another lead to the same, and no step of
// them lets two majorities miss each other (thesis 4.1, 4.3).
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <random>
#include <vector>

#include "actors/core/raft/members.hpp"

using namespace muster;
using namespace muster::raft;

namespace {

using node_list = std::vector<node_id>;

constexpr std::uint64_t nodes = 7;
/// A set of nodes; bit n is node n + 1.
using node_set = std::uint64_t;
constexpr node_set all_nodes = (1U << nodes) - 1;

bool contains(node_set set, node_id node) {
  return ((set >> (node.value - 1)) & 1U) != 0;
}

node_set set_of(const node_list& list) {
  node_set set = 0;
  for (const auto n : list)
    set |= node_set{1} << (n.value - 1);
  return set;
}

node_list list_of(node_set set) {
  node_list list;
  for (std::uint64_t n = 1; n <= nodes; ++n)
    if (contains(set, node_id{n}))
      list.emplace_back(n);
  return list;
}

/// Counted here once more.
bool is_majority(const configuration& c, node_set yes) {
  const auto most = [yes](const node_list& of) {
    const auto voters = set_of(of);
    return 2 * std::popcount(voters & yes) > std::popcount(voters);
  };
  return most(c.voters) && (c.outgoing.empty() || most(c.outgoing));
}

void check_step(const configuration& a, const configuration& b) {
  for (node_set yes = 0; yes <= all_nodes; ++yes) {
    REQUIRE(majority(b, [yes](node_id n) { return contains(yes, n); })
            == is_majority(b, yes));
    REQUIRE_FALSE((is_majority(a, yes) && is_majority(b, all_nodes & ~yes)));
  }
}

configuration drawn(std::mt19937& random) {
  configuration c;
  do
    c.voters = list_of(random() & all_nodes);
  while (c.voters.empty());
  c.learners = list_of(random() & all_nodes & ~set_of(c.voters));
  return c;
}

/// By one change, joint if need be.
configuration at_once(const configuration& from, const configuration& to) {
  auto next = enter_change(from, to);
  REQUIRE(next);
  check_step(from, *next);
  if (!is_joint(*next))
    return *next;
  CHECK_FALSE(enter_change(*next, to));
  const auto last = leave_joint(*next);
  check_step(*next, last);
  return last;
}

/// One voter at a time, those that come first.
configuration one_by_one(configuration now, const configuration& to) {
  const auto step = [&now](node_set voters, node_set learners) {
    configuration target;
    target.voters = list_of(voters);
    target.learners = list_of(learners & ~voters);
    auto next = enter_change(now, target);
    REQUIRE(next);
    REQUIRE_FALSE(is_joint(*next));
    check_step(now, *next);
    now = *next;
  };
  for (const auto n : to.voters)
    step(set_of(now.voters) | set_of({n}), set_of(now.learners));
  for (const auto n : node_list(now.voters))
    if (!contains(set_of(to.voters), n))
      step(set_of(now.voters) & ~set_of({n}), set_of(now.learners));
  step(set_of(now.voters), set_of(to.learners));
  return now;
}

} // namespace

TEST_CASE(
    "S9: one joint change and many simple ones lead to the same members") {
  std::mt19937 random(1);
  std::size_t joint = 0;
  for (std::size_t n = 0; n < 300; ++n) {
    const auto from = drawn(random);
    const auto to = drawn(random);
    const auto direct = at_once(from, to);
    CHECK(direct == to);
    CHECK(one_by_one(from, to) == direct);
    joint += is_joint(*enter_change(from, to)) ? 1 : 0;
  }
  CHECK(joint > 100);
  CHECK(joint < 300);
}

TEST_CASE("what a majority has is the highest index that most have") {
  std::mt19937 random(2);
  for (std::size_t n = 0; n < 2'000; ++n) {
    auto c = drawn(random);
    if (random() % 2 == 0)
      c.outgoing = drawn(random).voters;
    std::vector<std::uint64_t> has(nodes + 1);
    for (auto& each : has)
      each = random() % 10;
    const auto found = majority_index(
        c, [&has](node_id node) { return log_index{has[node.value]}; });
    const auto have = [&](std::uint64_t index) {
      node_set yes = 0;
      for (std::uint64_t node = 1; node <= nodes; ++node)
        if (has[node] >= index)
          yes |= set_of({node_id{node}});
      return is_majority(c, yes);
    };
    REQUIRE(have(found.value));
    REQUIRE_FALSE(have(found.value + 1));
  }
}
