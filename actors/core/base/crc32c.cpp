#include "actors/core/base/crc32c.hpp"

#include <array>
#include <cstddef>

namespace muster {

namespace {

using tables = std::array<std::array<std::uint32_t, 256>, 8>;

/// [n][b]: what byte b contributes with n bytes behind it.
constexpr tables make_tables() {
  tables made{};
  for (std::uint32_t n = 0; n < 256; ++n) {
    auto crc = n;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
    made[0][n] = crc;
  }
  for (std::size_t t = 1; t < made.size(); ++t)
    for (std::size_t n = 0; n < 256; ++n)
      made[t][n] = made[0][made[t - 1][n] & 0xFF] ^ (made[t - 1][n] >> 8);
  return made;
}

constexpr tables of = make_tables();

} // namespace

std::uint32_t crc32c(std::string_view data, std::uint32_t before) {
  auto crc = ~before;
  // Eight bytes a step.
  while (data.size() >= of.size()) {
    std::uint32_t next = 0;
    for (std::size_t i = 0; i < of.size(); ++i) {
      const auto byte = static_cast<unsigned char>(data[i])
                        ^ (i < 4 ? (crc >> (8 * i)) & 0xFF : 0);
      next ^= of[of.size() - 1 - i][byte];
    }
    crc = next;
    data.remove_prefix(of.size());
  }
  for (const char c : data)
    crc = of[0][(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

} // namespace muster
