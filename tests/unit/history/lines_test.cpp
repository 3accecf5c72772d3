#include <doctest/doctest.h>

#include <sstream>

#include "tools/history/lines.hpp"

using namespace muster::history;

namespace {

constexpr auto head =
    R"({"client":"c1","node":"n2","key":"k","invoke":5,"return":7,)";

std::string line(const char* rest) {
  return std::string{head} + rest + '}';
}

} // namespace

TEST_CASE("each kind of operation is read") {
  const auto publish = parse_line(line(
      R"("operation":"publish","input":"a","output":null,"outcome":"ok")"));
  REQUIRE(publish);
  CHECK(publish->what == action::publish);
  CHECK(publish->client == "c1");
  CHECK(publish->node == "n2");
  CHECK(publish->key == "k");
  CHECK(publish->content == "a");
  CHECK(publish->invoked == 5);
  CHECK(publish->returned == 7);

  const auto swap = parse_line(
      line(R"("operation":"cas","input":{"expected":"a","content":"b"},)"
           R"("output":true,"outcome":"ok")"));
  REQUIRE(swap);
  CHECK(swap->expected == "a");
  CHECK(swap->content == "b");
  CHECK(swap->swapped);

  const auto remove = parse_line(
      R"({"client":"c","node":"n","key":"k","invoke":1,"operation":"delete",)"
      R"("input":null,"output":null,"outcome":"unknown","return":null})");
  REQUIRE(remove);
  CHECK(remove->what == action::remove);
  CHECK(remove->outcome == fate::unknown);
  CHECK(remove->returned == never);

  const auto absent = parse_line(line(
      R"("operation":"local_read","input":null,"output":null,"outcome":"ok")"));
  REQUIRE(absent);
  CHECK(absent->what == action::local_read);
  CHECK(!absent->content);
}

TEST_CASE("a bad line is refused and says why") {
  const std::pair<std::string, const char*> rows[] = {
      {"", "not a JSON object"},
      {"[1]", "not a JSON object"},
      {line(R"("operation":"publish","input":"a")"), "no outcome"},
      {line(R"("operation":"burn","outcome":"ok")"), "operation is burn"},
      {line(R"("operation":"publish","input":1,"outcome":"ok")"),
       "input is not a string"},
      {line(R"("operation":"cas","input":"a","outcome":"ok")"),
       "input is not an object"},
      {line(R"("operation":"cas","input":{"expected":"a","content":"b"},)"
            R"("output":null,"outcome":"ok")"),
       "output is neither true nor false"},
      {R"({"client":"c","node":"n","key":"k","invoke":9,"return":7,)"
       R"("operation":"delete","outcome":"ok"})",
       "it returned before it was invoked"},
      {R"({"client":"c","node":"n","key":"k","invoke":"9","return":7,)"
       R"("operation":"delete","outcome":"ok"})",
       "invoke is not a number of nanoseconds"},
  };
  for (const auto& [text, why] : rows) {
    CAPTURE(text);
    const auto parsed = parse_line(text);
    REQUIRE(!parsed);
    CHECK(parsed.error().message == why);
  }
}

TEST_CASE("a file is read by key, and its bad line is named") {
  const auto good =
      line(R"("operation":"publish","input":"a","outcome":"ok")") + '\n';
  by_key all;
  std::istringstream file(good + good);
  CHECK(read_lines(file, all));
  REQUIRE(all["k"].size() == 2);
  CHECK(all["k"][1].line == 2);

  std::istringstream torn(good + "{\"client\":");
  const auto done = read_lines(torn, all);
  REQUIRE(!done);
  CHECK(done.error().message == "line 2: not a JSON object");
}

TEST_CASE("an operation is told in one line") {
  const auto swap = parse_line(
      line(R"("operation":"cas","input":{"expected":"a","content":"b"},)"
           R"("output":false,"outcome":"ok")"));
  REQUIRE(swap);
  CHECK(tell(*swap, 0)
        == "     0.000 ..      0.000 ms  c1: cas a -> b at n2: refused"
           "  (line 0)");
}
