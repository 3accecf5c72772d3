// What holds for every command: repeated proposals, equal bytes, ids. Random
// commands and their replay: tests/sim/model.
#include <map>

#include "tests/unit/core/model_fixture.hpp"

using namespace muster;
using namespace muster::test;

namespace {

bool same(const model::outcome& a, const model::outcome& b) {
  return a.code == b.code && a.message == b.message && a.index == b.index
         && a.id == b.id && a.existed == b.existed;
}

} // namespace

TEST_CASE_FIXTURE(model_fixture, "apply: a repeated proposal is applied once") {
  auto command = publish("one");
  command.set_client(7);
  command.set_sequence(1);
  const auto first = apply(command);
  CHECK(first.events.size() == 1);
  apply(publish("two"));
  const auto before = state.rows;
  const auto again = apply(command);
  CHECK(same(again.result, first.result));
  CHECK(again.events.empty());
  CHECK(state.rows == before);
  CHECK(load()->formal->content == "two");

  auto other = command;
  other.set_client(8);
  CHECK(apply(other).events.size() == 1);

  auto lost = publish("three", "wrong");
  lost.set_client(7);
  lost.set_sequence(2);
  const auto refused = apply(lost);
  CHECK(refused.result.code == errc::aborted);
  CHECK(same(apply(lost).result, refused.result));
}

TEST_CASE_FIXTURE(model_fixture, "apply: the memory of proposals is bounded") {
  constexpr std::uint64_t window = 131'072;
  auto command = remove();
  command.set_client(7);
  command.set_sequence(1);
  const auto first = apply(command);
  last += window - 1;
  CHECK(apply(command).result.index == first.result.index);
  last = window;
  auto next = command;
  next.set_sequence(2);
  apply(next); // stands a window behind the first: takes its place
  CHECK(state.count(table_id::dedupe) == 2);
  CHECK(apply(command).result.index != first.result.index);
}

TEST_CASE_FIXTURE(model_fixture,
                  "apply: a command of no known kind is refused") {
  const auto done = apply({});
  CHECK(done.result.code == errc::unimplemented);
  CHECK(done.events.empty());
  CHECK(state.rows.empty());
}

TEST_CASE("records: equal messages are equal bytes, maps included") {
  const auto filled = [](int from, int to, int step) {
    pb::ServiceRecord record;
    for (int i = from; i != to; i += step) {
      (*record.mutable_metadata())[std::to_string(i)] = "v";
      auto& cluster = (*record.mutable_clusters())[std::to_string(i)];
      (*cluster.mutable_metadata())["a" + std::to_string(i)] = "v";
    }
    return to_bytes(record);
  };
  CHECK(filled(0, 100, 1) == filled(99, -1, -1));
  CHECK(filled(0, 100, 1) != filled(0, 99, 1));
}

TEST_CASE("ids and partitions are part of the disk format") {
  CHECK(model::make_id(partition_id{5}, log_index{3}) == 3 * 4096 + 5);
  // FNV-1a 64 of "public\0DEFAULT_GROUP" and "\0", by an independent program.
  CHECK(model::config_partition("public", "DEFAULT_GROUP", 16).value
        == 1 + 18289745375449118681ULL % 16);
  CHECK(model::config_partition("", "", 1'000'003).value
        == 1 + 12638153115695167455ULL % 1'000'003);
  std::map<std::uint64_t, int> used;
  for (int i = 0; i < 10'000; ++i)
    ++used[model::config_partition("public", "g" + std::to_string(i), 16)
               .value];
  CHECK(used.size() == 16);
  CHECK(used.begin()->first == 1);
  CHECK(used.rbegin()->first == 16);
  for (const auto& [partition, n] : used)
    CHECK(n > 400);
}
