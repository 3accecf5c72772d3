#include "protocols/nacos/grpc/pattern.hpp"

#include <array>

#include "protocols/nacos/codec/names.hpp"

namespace muster::nacos::remote {

namespace {

/// The three parts of a text with exactly two separators.
std::optional<std::array<std::string_view, 3>>
three_parts(std::string_view text, std::string_view separator) {
  const auto first = text.find(separator);
  if (first == std::string_view::npos)
    return std::nullopt;
  const auto rest = text.substr(first + separator.size());
  const auto second = rest.find(separator);
  if (second == std::string_view::npos)
    return std::nullopt;
  const auto last = rest.substr(second + separator.size());
  if (last.contains(separator))
    return std::nullopt;
  return std::array{text.substr(0, first), rest.substr(0, second), last};
}

void append_escaped(std::string& out, std::string_view part) {
  for (const auto c : part) {
    if (c == '+')
      out += "%2B";
    else if (c == '%')
      out += "%25";
    else
      out += c;
  }
}

std::string unescape(std::string_view part) {
  std::string out;
  while (!part.empty()) {
    const auto escaped = part.starts_with("%2B") || part.starts_with("%25");
    out += !escaped ? part.front() : part.starts_with("%2B") ? '+' : '%';
    part.remove_prefix(escaped ? 3 : 1);
  }
  return out;
}

} // namespace

fuzzy_pattern parse_pattern(std::string_view text) {
  // A star inside never matches.
  constexpr std::string_view nothing = "a*a";
  const auto parts = three_parts(text, ">>");
  if (!parts)
    return {std::string{public_namespace},
            {watch::item_pattern{nothing}, watch::item_pattern{nothing}}};
  const auto& [space, group, name] = *parts;
  return {std::string{space_or_public(space)},
          {watch::item_pattern{group}, watch::item_pattern{name}}};
}

std::string config_group_key(const config_key& key) {
  std::string out;
  append_escaped(out, key.data_id);
  out += '+';
  append_escaped(out, key.group);
  out += '+';
  append_escaped(out, key.space);
  return out;
}

std::optional<config_key> parse_config_group_key(std::string_view text) {
  const auto parts = three_parts(text, "+");
  if (!parts)
    return std::nullopt;
  return config_key{std::string{space_or_public(unescape((*parts)[2]))},
                    unescape((*parts)[1]), unescape((*parts)[0])};
}

std::string service_group_key(const service_key& key) {
  std::string out = key.space;
  out += group_separator;
  return out += grouped_name(key);
}

std::optional<service_key> parse_service_group_key(std::string_view text) {
  const auto parts = three_parts(text, group_separator);
  if (!parts)
    return std::nullopt;
  return service_key{std::string{space_or_public((*parts)[0])},
                     std::string{(*parts)[1]}, std::string{(*parts)[2]}};
}

} // namespace muster::nacos::remote
