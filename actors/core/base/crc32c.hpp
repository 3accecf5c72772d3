#pragma once

#include <cstdint>
#include <string_view>

namespace muster {

/// CRC-32C (Castagnoli): finds any run of up to 32 wrong bits, and other damage
/// but for one case in four thousand million. `before` is the sum of the bytes
/// that stand before `data`, so that a long text is summed piece by piece.
std::uint32_t crc32c(std::string_view data, std::uint32_t before = 0);

} // namespace muster
