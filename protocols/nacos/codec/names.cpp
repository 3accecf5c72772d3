#include "protocols/nacos/codec/names.hpp"

#include <algorithm>

#include "actors/core/base/text.hpp"
#include "protocols/nacos/codec/heartbeat.hpp"
#include "protocols/nacos/codec/utf8.hpp"

namespace muster::nacos {

namespace {

bool is_alnum(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
         || (c >= 'A' && c <= 'Z');
}

bool all_of(std::string_view text, std::string_view extra) noexcept {
  return std::ranges::all_of(text, [extra](char c) {
    return is_alnum(c) || extra.find(c) != std::string_view::npos;
  });
}

/// Takes one code point off the front of `in`; 0 for a byte that starts none.
char32_t take_code_point(std::string_view& in) noexcept {
  const auto [value, length] = first_code_point(in);
  in.remove_prefix(length == 0 ? 1 : length);
  return value;
}

/// CJK unified ideographs, the range Nacos' patterns name.
bool is_cjk(char32_t c) noexcept {
  return c >= 0x4E00 && c <= 0x9FA5;
}

bool has_blank_or_cjk(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto c = take_code_point(text);
    if (is_cjk(c) || c == ' ' || (c >= '\t' && c <= '\r'))
      return true;
  }
  return false;
}

std::string illegal(std::string_view param, std::string_view why) {
  std::string text = "Param '";
  text += param;
  text += "' is illegal, ";
  text += why;
  return text;
}

std::optional<std::string> check(std::string_view param, std::string_view value,
                                 std::size_t length_max, bool legal) {
  if (blank(value))
    return std::nullopt;
  if (java_length(value) > length_max)
    return illegal(param, "the param length should not exceed "
                              + std::to_string(length_max) + ".");
  if (!legal)
    return illegal(param, "illegal characters should not appear in the param.");
  return std::nullopt;
}

bool legal_service(std::string_view name) noexcept {
  return !name.starts_with('@') && !name.contains(group_separator)
         && !has_blank_or_cjk(name);
}

std::optional<std::string> check_cluster_list(std::string_view list) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto one = list.substr(0, comma);
    if (auto fault = check("cluster", one, 64, all_of(one, "-_")))
      return fault;
    if (comma == std::string_view::npos)
      break;
    list.remove_prefix(comma + 1);
  }
  return std::nullopt;
}

std::optional<std::string> check_port(std::string_view port) {
  if (blank(port) || parse_number<std::uint16_t>(port))
    return std::nullopt;
  return illegal("port", "the value should be between 0 and 65535.");
}

} // namespace

std::string grouped_name(std::string_view group, std::string_view service) {
  std::string name;
  name.reserve(group.size() + group_separator.size() + service.size());
  name += group;
  name += group_separator;
  name += service;
  return name;
}

name_parts split_grouped(std::string_view name) noexcept {
  const auto at = name.find(group_separator);
  if (at == std::string_view::npos)
    return {{}, name};
  return {name.substr(0, at), name.substr(at + group_separator.size())};
}

std::string_view trim(std::string_view text) noexcept {
  const auto is_blank = [](char c) {
    return static_cast<unsigned char>(c) <= ' ';
  };
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

bool blank(std::string_view text) noexcept {
  return trim(text).empty();
}

std::string_view space_or_public(std::string_view sent) noexcept {
  const auto space = trim(sent);
  return space.empty() ? public_namespace : space;
}

bool same_letters(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<std::string> check_names(const checked_names& n,
                                       const request_rules& rules) {
  if (!rules.check_parameters)
    return std::nullopt;
  const auto no_signs =
      n.space_name.find_first_of("@#$%^&*") == std::string_view::npos;
  if (auto fault = check("namespaceShowName", n.space_name, 256, no_signs))
    return fault;
  if (auto fault =
          check("namespaceId/tenant", n.space, 64, all_of(n.space, "_-")))
    return fault;
  if (auto fault = check("dataId", n.data_id, 256, all_of(n.data_id, "-_:.")))
    return fault;
  if (auto fault =
          check("serviceName", n.service, 512, legal_service(n.service)))
    return fault;
  if (auto fault = check("group", n.group, 128, all_of(n.group, "-_:.")))
    return fault;
  if (auto fault = check_cluster_list(n.clusters))
    return fault;
  if (auto fault = check("cluster", n.cluster, 64, all_of(n.cluster, "-_")))
    return fault;
  if (auto fault = check("ip", n.ip, 128, !has_blank_or_cjk(n.ip)))
    return fault;
  return check_port(n.port);
}

std::optional<std::string> check_metadata(const naming::metadata_map& metadata,
                                          const request_rules& rules) {
  if (!rules.check_parameters)
    return std::nullopt;
  std::size_t length = 0;
  for (const auto& [key, value] : metadata)
    length += java_length(key) + java_length(value);
  if (length <= rules.metadata_length_max)
    return std::nullopt;
  return illegal("Metadata", "the param length should not exceed "
                                 + std::to_string(rules.metadata_length_max)
                                 + ".");
}

std::optional<std::string> check_instance(const naming::instance& instance) {
  const auto times = heartbeat_times(instance.metadata);
  if (times.timeout < times.interval || times.remove_after < times.interval)
    return "Instance 'heart beat interval' must less than 'heart beat timeout' "
           "and 'ip delete timeout'.";
  if (!all_of(instance.cluster, "-"))
    return "Instance 'clusterName' should be characters with only 0-9a-zA-Z-. "
           "(current: "
           + instance.cluster + ')';
  return std::nullopt;
}

bool valid_config_name(std::string_view name) noexcept {
  if (name.empty())
    return false;
  while (!name.empty()) {
    // Beyond ASCII the parameter check (1.8) has refused before; what reaches
    // this place are letters of other scripts, which Java lets pass.
    const auto c = take_code_point(name);
    const auto ascii = static_cast<char>(c & 0x7F);
    if (c < 0x80 && !all_of({&ascii, 1}, "_-.:"))
      return false;
  }
  return true;
}

std::size_t java_length(std::string_view utf8) noexcept {
  std::size_t units = 0;
  while (!utf8.empty())
    units += take_code_point(utf8) > 0xFFFF ? 2 : 1;
  return units;
}

std::string http_client_id(std::string_view ip, std::uint16_t port,
                           bool ephemeral) {
  std::string id{ip};
  id += ':';
  id += std::to_string(port);
  id += ephemeral ? "#true" : "#false";
  return id;
}

} // namespace muster::nacos
