#include "actors/node/settings/values.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <arpa/inet.h>

#include "actors/core/base/text.hpp"

namespace muster::values {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

char lower_ascii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_path_char(char c) {
  const char l = lower_ascii(c);
  return (l >= 'a' && l <= 'z') || is_digit(c) || c == '/' || c == '_'
         || c == '-' || c == '.';
}

} // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower_ascii);
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos)
      return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<bool> flag(std::string_view text) {
  static constexpr std::array<std::string_view, 4> yes{"true", "yes", "on",
                                                       "1"};
  static constexpr std::array<std::string_view, 4> no{"false", "no", "off",
                                                      "0"};
  const auto word = lower(text);
  if (std::ranges::find(yes, word) != yes.end())
    return true;
  if (std::ranges::find(no, word) != no.end())
    return false;
  return std::nullopt;
}

std::optional<std::uint64_t> number(std::string_view text) {
  return parse_number<std::uint64_t>(text);
}

std::optional<std::uint64_t> size(std::string_view text) {
  const auto digits = static_cast<std::size_t>(
    std::ranges::find_if_not(text, is_digit) - text.begin());
  const auto count = number(text.substr(0, digits));
  if (!count)
    return std::nullopt;
  auto unit = lower(trim(text.substr(digits)));
  if (unit.ends_with('b'))
    unit.pop_back();
  static constexpr std::string_view units = "kmg";
  unsigned shift = 0;
  if (!unit.empty()) {
    const auto at = units.find(unit);
    if (unit.size() != 1 || at == std::string_view::npos)
      return std::nullopt;
    shift = 10 * (static_cast<unsigned>(at) + 1);
  }
  if (*count > std::numeric_limits<std::uint64_t>::max() >> shift)
    return std::nullopt;
  return *count << shift;
}

std::optional<std::string> ip_address(std::string_view text) {
  std::string address(text);
  if (lower(text) == "localhost")
    return "127.0.0.1";
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1
      || inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1)
    return address;
  return std::nullopt;
}

std::optional<std::string> path_prefix(std::string_view text) {
  if (!std::ranges::all_of(text, is_path_char)
      || text.find("//") != std::string_view::npos)
    return std::nullopt;
  while (text.ends_with('/'))
    text.remove_suffix(1);
  if (text.empty() || text.starts_with('/'))
    return std::string(text);
  return "/" + std::string(text);
}

} // namespace muster::values
