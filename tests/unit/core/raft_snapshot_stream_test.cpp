// The parts of a snapshot: whole, in order and undamaged, or not used.
#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/core/raft/snapshot_stream.hpp"

using namespace muster;
using raft::snapshot_sink;
using raft::snapshot_source;
using raft::state_store;

namespace {

using rows = std::map<std::pair<table_id, std::string>, std::string>;

struct open_tables final : state_store::exporter {
  explicit open_tables(rows r) : all(std::move(r)) {}
  const raft::log_position& position() const override { return at; }
  result<void> read(const state_store::place& after,
                    const state_store::row_visitor& visit) override {
    for (auto i = all.upper_bound({after.table, after.key}); i != all.end();
         ++i)
      if (!visit(i->first.first, i->first.second, i->second))
        break;
    return {};
  }
  rows all;
  raft::log_position at{term_id{2}, log_index{9}};
};

struct filled final : state_store::importer {
  result<void> add(table_id table, std::string_view key,
                   std::string_view value) override {
    all[{table, std::string(key)}] = value;
    return {};
  }
  result<void> finish(const raft::snapshot_meta&) override { return {}; }
  rows all;
};

rows some_rows() {
  rows made;
  for (int i = 0; i < 100; ++i) {
    const auto text = std::to_string(i);
    made[{table_id::config, text}] =
        std::string(static_cast<std::size_t>(i), 'x');
    made[{table_id::dedupe, text}] = text;
  }
  made[{table_id::config, ""}] = "";
  return made;
}

snapshot_source source_of(rows r, std::size_t part_bytes = 200) {
  return {std::make_unique<open_tables>(std::move(r)), part_bytes};
}

std::string must(result<std::string> part) {
  REQUIRE(part.has_value());
  return std::move(*part);
}

} // namespace

TEST_CASE("snapshot parts: what comes out is what went in") {
  for (const std::size_t part_bytes : {1, 200, 100'000}) {
    CAPTURE(part_bytes);
    auto source = source_of(some_rows(), part_bytes);
    CHECK(source.position() == raft::log_position{term_id{2}, log_index{9}});
    snapshot_sink sink;
    filled to;
    while (!sink.complete()) {
      const auto part = must(source.part(sink.next()));
      CHECK(part.size() < part_bytes + 1'000);
      REQUIRE(sink.take(part));
      REQUIRE(sink.fill(to));
    }
    CHECK(to.all == some_rows());
    CHECK_FALSE(source.part(sink.next()));
  }
}

TEST_CASE("snapshot parts: empty tables are one empty part") {
  auto source = source_of({});
  snapshot_sink sink;
  filled to;
  REQUIRE(sink.take(must(source.part(0))));
  CHECK(sink.complete());
  CHECK(sink.fill(to));
  CHECK(to.all.empty());
}

TEST_CASE("snapshot parts: a lost answer is asked for again") {
  auto source = source_of(some_rows());
  snapshot_sink sink;
  filled to;
  while (!sink.complete()) {
    const auto first = must(source.part(sink.next()));
    const auto again = must(source.part(sink.next()));
    CHECK(first == again);
    REQUIRE(sink.take(again));
    REQUIRE(sink.fill(to));
  }
  CHECK(to.all == some_rows());
}

TEST_CASE("snapshot parts: a receiver may start anew, and not jump") {
  auto source = source_of(some_rows());
  const auto first = must(source.part(0));
  must(source.part(1));
  must(source.part(2));
  CHECK(source.part(1).error().code == errc::out_of_range);
  CHECK(source.part(5).error().code == errc::out_of_range);
  CHECK(must(source.part(0)) == first);
  CHECK(source.part(2).error().code == errc::out_of_range);
  must(source.part(1));
}

TEST_CASE("snapshot parts: every wrong bit is found, and nothing is lost") {
  auto source = source_of(some_rows());
  snapshot_sink sink;
  REQUIRE(sink.take(must(source.part(0))));
  const auto sound = must(source.part(1));
  std::size_t found = 0;
  for (std::size_t at = 0; at < sound.size() * 8; ++at) {
    auto damaged = sound;
    damaged[at / 8] = static_cast<char>(damaged[at / 8] ^ (1 << at % 8));
    const auto taken = sink.take(damaged);
    if (!taken && taken.error().code == errc::data_loss)
      ++found;
  }
  CHECK(found == sound.size() * 8);
  CHECK_FALSE(sink.take(sound.substr(0, sound.size() - 1)));
  CHECK_FALSE(sink.take(""));
  CHECK(sink.next() == 1);
  CHECK(sink.take(sound));
}

TEST_CASE("snapshot parts: parts of another place or snapshot are refused") {
  auto source = source_of(some_rows());
  const auto first = must(source.part(0));
  const auto second = must(source.part(1));
  const auto third = must(source.part(2));
  auto other_rows = some_rows();
  other_rows[{table_id::config, ""}] = "y";
  auto other = source_of(other_rows);
  must(other.part(0));
  const auto other_second = must(other.part(1));
  snapshot_sink sink;
  CHECK_FALSE(sink.take(second));
  REQUIRE(sink.take(first));
  CHECK_FALSE(sink.take(first));
  CHECK_FALSE(sink.take(third));
  CHECK_FALSE(sink.take(other_second));
  CHECK(sink.take(second));
}
