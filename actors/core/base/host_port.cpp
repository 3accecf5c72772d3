#include "actors/core/base/host_port.hpp"

#include <algorithm>
#include <cctype>

#include "actors/core/base/text.hpp"

namespace muster {

std::optional<std::string> parse_host(std::string_view text) {
  constexpr std::size_t chars_max = 253; // RFC 1035, 2.3.4
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':'
           || c == '%';
  };
  if (text.starts_with('[') && text.ends_with(']'))
    text = text.substr(1, text.size() - 2);
  if (text.empty() || text.size() > chars_max
      || !std::ranges::all_of(text, allowed))
    return std::nullopt;
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return out;
}

std::optional<host_port>
parse_host_port(std::string_view text,
                std::optional<std::uint16_t> usual_port) {
  // Behind the brackets of an IPv6 address, else the only colon there is.
  const auto name_end = text.starts_with('[') ? text.find(']') : 0;
  if (name_end == text.npos)
    return std::nullopt;
  const auto colon = text.find(':', name_end);
  const bool has_port = colon != text.npos && colon == text.rfind(':');
  const auto host = parse_host(has_port ? text.substr(0, colon) : text);
  const auto port = has_port
                        ? parse_number<std::uint16_t>(text.substr(colon + 1))
                        : usual_port;
  if (!host || !port || *port == 0)
    return std::nullopt;
  return host_port{*host, *port};
}

} // namespace muster
