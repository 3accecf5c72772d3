#include <doctest/doctest.h>

#include "actors/node/settings/source.hpp"

using namespace muster;
using source::entries;

namespace {

std::string show(const result<entries>& parsed) {
  if (!parsed)
    return "error: " + parsed.error().message;
  std::string out;
  for (const auto& each : *parsed)
    out += each.place + " " + each.key + "=" + each.value + "\n";
  return out;
}

} // namespace

TEST_CASE("properties files") {
  const struct {
    const char* name;
    const char* text;
    const char* parsed;
  } rows[] = {
    {"empty", "", ""},
    {"comments and blank lines", "# a=1\n  ! b=2\n\n \nc=3", "f:5 c=3\n"},
    {"separators", "a=1\nb:2\nc 3\nd = 4\ne\t:\t5\n",
     "f:1 a=1\nf:2 b=2\nf:3 c=3\nf:4 d=4\nf:5 e=5\n"},
    {"only the first separator counts", "a=b=c:d\nurl=http://h:1/?x=y",
     "f:1 a=b=c:d\nf:2 url=http://h:1/?x=y\n"},
    {"no value", "a\nb=\n", "f:1 a=\nf:2 b=\n"},
    {"continued line", "a=1,\\\n   2,\\\n   3\nb=4", "f:1 a=1,2,3\nf:4 b=4\n"},
    {"even number of backslashes", "a=1\\\\\nb=2", "f:1 a=1\\\nf:2 b=2\n"},
    {"carriage returns", "a=1\r\nb=2\r\n", "f:1 a=1\nf:2 b=2\n"},
    {"escapes", "a\\ b=\\u00e4\\t\\=\\ud83d\\ude00", "f:1 a b=\u00e4\t=\U0001F600\n"},
    {"malformed escape", "x=1\na=\\u00zz", "error: f:2: malformed \\u escape"},
    {"half a surrogate", "a=\\ud83d", "error: f:1: malformed \\u escape"},
    {"comment that ends in a backslash", "# x \\\na=1", "f:2 a=1\n"},
    {"last line is continued", "a=1\\", "f:1 a=1\n"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.name);
    CHECK(show(source::parse_properties(row.text, "f")) == row.parsed);
  }
}

TEST_CASE("YAML files") {
  const struct {
    const char* name;
    const char* text;
    const char* parsed;
  } rows[] = {
    {"empty", "", ""},
    {"only comments", "# nothing\n", ""},
    {"nested", "nacos:\n  server:\n    main: {port: 8848}\n",
     "f:3 nacos.server.main.port=8848\n"},
    {"dotted", "batata.server.main.port: 8848\n",
     "f:1 batata.server.main.port=8848\n"},
    {"both", "a.b:\n  c.d: 1\n", "f:2 a.b.c.d=1\n"},
    {"list", "a: [1, x]\nb:\n  - y\n", "f:1 a=1,x\nf:2 b=y\n"},
    {"list of maps", "a:\n  - b: 1\n  - b: 2\n", "f:2 a.0.b=1\nf:3 a.1.b=2\n"},
    {"null", "a:\nb: ~\n", "f:1 a=\nf:2 b=\n"},
    {"not a map", "just text\n", "error: f:1: keys with values expected"},
    {"two documents", "a: 1\n---\na: 2\n", "error: f: more than one YAML document"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.name);
    CHECK(show(source::parse_yaml(row.text, "f")) == row.parsed);
  }
}

TEST_CASE("malformed YAML is an error with its line") {
  const auto parsed = source::parse_yaml("a: 1\nb: [1,\nc: 2\n", "f");
  REQUIRE(!parsed);
  CHECK(parsed.error().message.starts_with("f:"));
}

TEST_CASE("YAML that grows by aliases is bounded") {
  std::string text = "a0: &a0 {k: 1}\n";
  for (int level = 1; level < 9; ++level) {
    const auto own = "a" + std::to_string(level);
    const auto below = "*a" + std::to_string(level - 1);
    text += own + ": &" + own + "\n";
    for (int i = 0; i < 10; ++i)
      text += "  k" + std::to_string(i) + ": " + below + "\n";
  }
  const auto parsed = source::parse_yaml(text, "f");
  REQUIRE(!parsed);
  CHECK(parsed.error().message.find("too many keys") != std::string::npos);
}

TEST_CASE("YAML that is nested without end is refused") {
  const auto parsed = source::parse_yaml(std::string(100000, '['), "f");
  CHECK(!parsed);
}

TEST_CASE("placeholders") {
  const process_environment variables{{"A", "one"}, {"EMPTY", ""}};
  const struct {
    const char* value;
    const char* expanded;
  } rows[] = {
    {"x", "x"},
    {"${A}", "one"},
    {"<${A}-${A}>", "<one-one>"},
    {"${NONE:b:c}", "b:c"},
    {"${NONE:}", ""},
    {"${EMPTY:d}", "d"},
    {"${other.key}", "two"},
    {"${chained}", "one"},
    {"${NONE:${A}}", "one"},
    {"${NONE:${NOR:x}}y", "xy"},
    {"${NONE}", "problem: placeholder ${NONE} is set nowhere"},
    {"${A", "problem: '${' without '}'"},
    {"${k}", "problem: placeholder ${k} needs itself"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.value);
    entries all{{"nacos.other.key", "two", "f:1"},
                {"chained", "${A}", "f:2"},
                {"k", row.value, "f:9"}};
    source::expand_placeholders(all, variables);
    CHECK((all[2].problem.empty() ? all[2].value
                                  : "problem: " + all[2].problem)
          == row.expanded);
  }
}
