#include <doctest/doctest.h>

#include <string>

#include "actors/core/base/crc32c.hpp"

using muster::crc32c;

// Sums of RFC 3720, appendix B.4.
TEST_CASE("crc32c: the sums that iSCSI's standard gives") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xe3069283U);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aaU);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43U);
}

TEST_CASE("crc32c: piece by piece is the same as at once") {
  std::string text;
  for (int i = 0; i < 50; ++i)
    text += static_cast<char>(i * 37);
  const auto whole = crc32c(text);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    const std::string_view view = text;
    CHECK(crc32c(view.substr(cut), crc32c(view.substr(0, cut))) == whole);
  }
}
