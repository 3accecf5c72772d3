#include <doctest/doctest.h>

#include "actors/node/settings/values.hpp"

using namespace muster;

TEST_CASE("sizes") {
  const struct {
    const char* text;
    std::optional<std::uint64_t> bytes;
  } rows[] = {
    {"0", 0},
    {"10485760", 10485760},
    {"10MB", 10485760},
    {"10mb", 10485760},
    {"512KB", 524288},
    {"512 K", 524288},
    {"1g", 1073741824},
    {"7B", 7},
    {"", std::nullopt},
    {"MB", std::nullopt},
    {"-1", std::nullopt},
    {"1.5MB", std::nullopt},
    {"1TB", std::nullopt},
    {"1MBB", std::nullopt},
    {"99999999999999999999", std::nullopt},
    {"18446744073709551615KB", std::nullopt},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    CHECK(values::size(row.text) == row.bytes);
  }
}

TEST_CASE("numbers and flags") {
  CHECK(values::number("8848") == 8848);
  for (const char* text : {"", " 1", "1 ", "+1", "-1", "0x10", "1e3", "1.0"}) {
    CAPTURE(text);
    CHECK(!values::number(text));
  }
  CHECK(values::flag("True") == true);
  CHECK(values::flag("off") == false);
  CHECK(!values::flag("maybe"));
}

TEST_CASE("addresses") {
  CHECK(values::ip_address("0.0.0.0") == "0.0.0.0");
  CHECK(values::ip_address("::1") == "::1");
  CHECK(values::ip_address("localhost") == "127.0.0.1");
  CHECK(!values::ip_address("example.org"));
  CHECK(!values::ip_address("1.2.3"));
}

TEST_CASE("context paths") {
  const struct {
    const char* text;
    std::optional<std::string> path;
  } rows[] = {
    {"/nacos", "/nacos"}, {"nacos", "/nacos"}, {"/nacos/", "/nacos"},
    {"/", ""},            {"", ""},            {"/a/b", "/a/b"},
    {"/a b", {}},         {"/a?b", {}},        {"//", {}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    CHECK(values::path_prefix(row.text) == row.path);
  }
}
