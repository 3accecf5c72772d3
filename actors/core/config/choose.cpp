#include "actors/core/config/choose.hpp"

namespace muster::config {

namespace {

/// Whether `word` is exactly an element of a comma list: no trimming, no CIDR.
bool lists(std::string_view list, std::string_view word) noexcept {
  for (;;) {
    const auto comma = list.find(',');
    if (list.substr(0, comma) == word)
      return true;
    if (comma == std::string_view::npos)
      return false;
    list.remove_prefix(comma + 1);
  }
}

bool matches(const gray_version& gray, std::string_view client_ip,
             std::string_view tag) noexcept {
  if (gray.rule_type == address_rule)
    return !client_ip.empty() && lists(gray.expression, client_ip);
  if (gray.rule_type == tag_rule)
    return !tag.empty() && gray.expression == tag;
  return false;
}

} // namespace

choice choose(const config_snapshot* snapshot, const labels& reader) noexcept {
  if (!snapshot)
    return {};
  const bool asked = !reader.asked_tag.empty();
  const auto tag = asked ? reader.asked_tag : reader.own_tag;
  for (const auto& gray : snapshot->grays)
    if (matches(*gray, reader.client_ip, tag))
      return {&gray->body, gray.get()};
  if (asked)
    return {};
  return {snapshot->formal.get(), nullptr};
}

} // namespace muster::config
