// Order-preserving key codec: order of bytes equals order of tuples.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "actors/core/model/table.hpp"

using namespace muster;

TEST_CASE("key codec keeps the order of tuples and round-trips") {
  using row = std::tuple<std::string, std::string, std::uint64_t>;
  const std::string nul("\0", 1);
  std::vector<row> rows;
  for (const std::string& a : {std::string{}, nul, nul + "a", std::string("a"),
                              std::string("a") + nul, std::string("ab"),
                              std::string("b"), std::string("\xff")})
    for (const std::string& b : {std::string{}, std::string("x"), nul})
      for (const std::uint64_t n : {0ULL, 1ULL, 255ULL, 256ULL, ~0ULL})
        rows.emplace_back(a, b, n);
  std::sort(rows.begin(), rows.end());
  std::string previous;
  for (const auto& [a, b, n] : rows) {
    const auto key = key_codec::encode(a, b, n);
    CHECK(previous < key);
    std::string a2, b2;
    std::uint64_t n2 = 0;
    REQUIRE(key_codec::decode(key, a2, b2, n2));
    CHECK(std::tie(a, b, n) == std::tie(a2, b2, n2));
    previous = key;
  }
}

TEST_CASE("key codec refuses what is not a key") {
  std::string text;
  std::uint64_t number = 0;
  CHECK_FALSE(key_codec::decode("abc", text));
  CHECK_FALSE(key_codec::decode(std::string("a\0", 2), text));
  CHECK_FALSE(key_codec::decode(std::string("a\0\x02", 3), text));
  CHECK_FALSE(key_codec::decode("1234567", number));
}
