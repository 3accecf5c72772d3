#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Text to value, for settings. Pure; nullopt = malformed.
namespace muster::values {

std::string lower(std::string_view text);
std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);

/// true/false, yes/no, on/off, 1/0, in any case.
std::optional<bool> flag(std::string_view text);

/// Decimal, no sign, whole text.
std::optional<std::uint64_t> number(std::string_view text);

/// Bytes: `123`, `512KB`, `10MB`, `1GB` (1024-based, B may be left out).
std::optional<std::uint64_t> size(std::string_view text);

/// An IPv4 or IPv6 address in numbers; `localhost` is 127.0.0.1.
std::optional<std::string> ip_address(std::string_view text);

/// "" for root, else "/a/b" without a slash at the end.
std::optional<std::string> path_prefix(std::string_view text);

} // namespace muster::values
