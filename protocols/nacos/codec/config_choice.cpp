#include "protocols/nacos/codec/config_choice.hpp"

#include "actors/core/config/choose.hpp"

namespace muster::nacos {

bool chosen_version::beta() const noexcept {
  return gray && gray->rule_type == config::address_rule;
}

bool chosen_version::tagged() const noexcept {
  return gray && gray->rule_type == config::tag_rule;
}

chosen_version choose_version(const config_snapshot* snapshot,
                              const client_labels& labels) noexcept {
  const auto [body, gray] = config::choose(
      snapshot, {labels.source_ip, labels.asked_tag, labels.own_tag});
  return {body, gray};
}

std::string_view md5_for(const config_snapshot* snapshot,
                         const client_labels& labels) noexcept {
  const auto chosen = choose_version(snapshot, labels);
  return chosen.body ? std::string_view{chosen.body->md5} : std::string_view{};
}

std::string_view type_of(const config_snapshot& snapshot,
                         const chosen_version& chosen) noexcept {
  const auto& version = snapshot.formal ? *snapshot.formal : *chosen.body;
  return version.type.empty() ? std::string_view{"text"} : version.type;
}

} // namespace muster::nacos
