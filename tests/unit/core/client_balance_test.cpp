// Which clients' streams move between nodes.
#include <doctest/doctest.h>

#include <algorithm>

#include "actors/core/cluster/client_balance.hpp"

using namespace muster;
using namespace muster::cluster;

namespace {

std::vector<node_load> loads(std::initializer_list<std::uint64_t> sdks) {
  std::vector<node_load> out;
  for (const auto each : sdks) {
    const auto number = out.size() + 1;
    out.push_back({.node = node_id{number},
                   .address = "10.0.0." + std::to_string(number) + ":8848",
                   .connections = each,
                   .sdks = each});
  }
  return out;
}

struct row {
  const char* name;
  std::vector<node_load> nodes;
  double factor;
  /// From, kept, to.
  std::vector<std::tuple<std::uint64_t, std::uint64_t, std::string>> moves;
};

} // namespace

TEST_CASE("client balance: the fullest send to the emptiest") {
  const std::vector<row> rows{
      {"nobody", {}, 0.1, {}},
      {"one node", loads({30}), 0.1, {}},
      {"even", loads({10, 10, 10}), 0.1, {}},
      {"within the share", loads({11, 10, 9}), 0.1, {}},
      {"all on one", loads({30, 0, 0}), 0.1, {{1, 11, "10.0.0.2:8848"}}},
      {"two pairs",
       loads({40, 0, 10, 50}),
       0.1,
       {{4, 27, "10.0.0.2:8848"}, {1, 27, "10.0.0.3:8848"}}},
      {"full, but nobody empty", loads({14, 9, 9, 9}), 0.1, {}},
      {"a wide share", loads({15, 10, 5}), 0.5, {}},
      {"no share", loads({12, 10, 8}), 0, {{1, 10, "10.0.0.3:8848"}}},
      {"fewer clients than nodes", loads({2, 0, 0}), 0.1, {}},
  };
  for (const auto& each : rows) {
    CAPTURE(each.name);
    std::vector<std::tuple<std::uint64_t, std::uint64_t, std::string>> got;
    for (const auto& move : balance(each.nodes, each.factor))
      got.emplace_back(move.from.value, move.keep, move.target);
    CHECK(got == each.moves);
  }
}

TEST_CASE("client balance: repeated, it ends with nodes that are alike") {
  auto nodes = loads({300, 0, 0, 60, 0});
  std::size_t rounds = 0;
  for (;; ++rounds) {
    REQUIRE(rounds < 100);
    const auto moves = balance(nodes, 0.1);
    if (moves.empty())
      break;
    for (const auto& move : moves) {
      auto& from = nodes[move.from.value - 1].sdks;
      const auto keep = kept_at_once(from, move.keep);
      REQUIRE(keep < from);
      const auto to =
          std::ranges::find(nodes, move.target, &node_load::address);
      REQUIRE(to != nodes.end());
      to->sdks += from - keep;
      from = keep;
    }
  }
  const auto figures = figures_of(nodes);
  CHECK(figures.total == 360);
  CHECK(figures.average == 72);
  CHECK((figures.max <= 79 || figures.min >= 64));
  CHECK(figures.max - figures.min <= 15);
}

TEST_CASE("client balance: at most a tenth moves at once") {
  CHECK(kept_at_once(30, 11) == 27);
  CHECK(kept_at_once(30, 29) == 29);
  CHECK(kept_at_once(5, 0) == 4);
  CHECK(kept_at_once(1, 0) == 0);
  CHECK(kept_at_once(0, 0) == 0);
}

TEST_CASE("client balance: clients are sent to members that are up") {
  member_list list;
  list.self = node_id{1};
  using enum member_state;
  for (const auto state : {up, up, suspicious, down, draining, starting, up}) {
    const auto number = list.all.size() + 1;
    list.all.push_back({.id = node_id{number},
                        .host = "10.0.0." + std::to_string(number),
                        .state = state});
  }
  CHECK(refuges(list)
        == std::vector<std::string>{"10.0.0.2:8848", "10.0.0.7:8848"});
}
