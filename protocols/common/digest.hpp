#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

/// Checksums that protocols show to clients.
namespace muster::common {

/// MD5 of `bytes` as 32 lower-case hex digits (what Nacos compares contents by;
/// no security rests on it). Any thread.
std::string md5_hex(std::string_view bytes);

/// Lower-case hex of raw bytes, appended.
void append_hex(std::string& out, const std::uint8_t* bytes, std::size_t size);

} // namespace muster::common
