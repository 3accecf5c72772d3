#include "protocols/nacos/codec/config_form.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "protocols/common/digest.hpp"
#include "protocols/nacos/codec/config_choice.hpp"
#include "protocols/nacos/codec/names.hpp"

namespace muster::nacos {

namespace {

constexpr std::array<std::string_view, 8> known_types{
    "text", "json", "xml", "yaml", "html", "properties", "toml", "unset"};

constexpr std::int32_t beta_priority = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t tag_priority = beta_priority - 1;
constexpr std::string_view rule_version = "1.0.0";
constexpr std::size_t tags_max = 5;

std::unexpected<form_fault> early(std::string text) {
  return std::unexpected(form_fault{std::move(text), false});
}

std::unexpected<form_fault> late(std::string text) {
  return std::unexpected(form_fault{std::move(text), true});
}

std::string over(std::string_view what, std::size_t length_max) {
  return "too long " + std::string{what} + ", over "
         + std::to_string(length_max);
}

bool longer(std::string_view text, std::size_t length_max) noexcept {
  return text.size() > length_max && java_length(text) > length_max;
}

std::expected<void, form_fault> check_tags(std::string_view list) {
  std::size_t count = 0;
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (++count > tags_max)
      return late("too much config_tags, over " + std::to_string(tags_max));
    if (longer(list.substr(0, comma), 64))
      return late(over("tag", 64));
    if (comma == std::string_view::npos)
      break;
    list.remove_prefix(comma + 1);
  }
  return {};
}

std::expected<void, form_fault> check_words(const config_form& form) {
  struct row {
    std::string_view name;
    std::string_view value;
    std::size_t length_max;
  };
  for (const auto& [name, value, length_max] :
       {row{"desc", form.description, 128}, row{"use", form.usage, 32},
        row{"effect", form.effect, 32}, row{"schema", form.schema, 32768}})
    if (longer(value, length_max))
      return late(over(name, length_max));
  return {};
}

void set_key(pb::ConfigKey& out, const key_view& key) {
  out.set_namespace_id(std::string{key.space});
  out.set_group(std::string{key.group});
  out.set_data_id(std::string{key.name});
}

std::string stored_type(std::string_view type) {
  const auto known = std::ranges::find(known_types, type) != known_types.end();
  return std::string{known ? type : known_types.front()};
}

void fill_gray(pb::GrayPublish& out, const config_form& form,
               const request_rules& rules) {
  const auto beta = !blank(form.beta_ips);
  set_key(*out.mutable_key(), form.key);
  out.set_name(beta ? std::string{beta_gray_name} : tag_gray_name(form.tag));
  out.set_rule_type(beta ? "beta" : "tag");
  out.set_rule_version(std::string{rule_version});
  out.set_expression(std::string{beta ? form.beta_ips : form.tag});
  out.set_priority(beta ? beta_priority : tag_priority);
  out.set_content(std::string{form.content});
  out.set_md5(common::md5_hex(form.content));
  out.set_app_name(std::string{form.app_name.value_or("")});
  out.set_encrypted_data_key(std::string{form.encrypted_data_key});
  out.set_user(std::string{form.user});
  out.set_source_ip(std::string{form.source_ip});
  out.set_max_versions(rules.grays_max);
  out.set_type(stored_type(form.type));
}

void fill_formal(pb::ConfigPublish& out, const config_form& form) {
  set_key(*out.mutable_key(), form.key);
  out.set_content(std::string{form.content});
  out.set_md5(common::md5_hex(form.content));
  out.set_type(stored_type(form.type));
  if (form.app_name)
    out.set_app_name(std::string{*form.app_name});
  if (form.tags)
    out.set_tags(std::string{*form.tags});
  out.set_description(std::string{form.description});
  out.set_usage(std::string{form.usage});
  out.set_effect(std::string{form.effect});
  out.set_schema(std::string{form.schema});
  out.set_encrypted_data_key(std::string{form.encrypted_data_key});
  out.set_user(std::string{form.user});
  out.set_source_ip(std::string{form.source_ip});
  out.set_cas_md5(std::string{form.cas_md5});
}

} // namespace

std::expected<void, form_fault> check_form(const config_form& form,
                                           const request_rules& rules) {
  const auto quoted = [](std::string_view what, std::string_view value) {
    return early(std::string{what} + " : " + std::string{value});
  };
  if (blank(form.key.name) || !valid_config_name(form.key.name))
    return quoted("invalid dataId", form.key.name);
  if (blank(form.key.group) || !valid_config_name(form.key.group))
    return quoted("invalid group", form.key.group);
  if (blank(form.content))
    return quoted("content is blank", form.content);
  if (longer(form.content, rules.content_length_max))
    return early("invalid content, over "
                 + std::to_string(rules.content_length_max));
  if (!blank(form.tag)) {
    if (!valid_config_name(form.tag))
      return quoted("invalid tag", form.tag);
    if (longer(form.tag, 16))
      return early(over("tag", 16));
  }
  if (auto fine = check_tags(form.tags.value_or("")); !fine)
    return fine;
  return check_words(form);
}

std::shared_ptr<const pb::Command> publish_command(const config_form& form,
                                                   const request_rules& rules,
                                                   wall_time now) {
  auto command = std::make_shared<pb::Command>();
  command->set_time_ms(to_unix_ms(now));
  if (blank(form.beta_ips) && blank(form.tag))
    fill_formal(*command->mutable_config_publish(), form);
  else
    fill_gray(*command->mutable_gray_publish(), form, rules);
  return command;
}

std::shared_ptr<const pb::Command> remove_command(const key_view& key,
                                                  std::string_view gray_name,
                                                  std::string_view user,
                                                  std::string_view source_ip,
                                                  wall_time now) {
  const auto fill = [&](auto& body) {
    set_key(*body.mutable_key(), key);
    body.set_user(std::string{user});
    body.set_source_ip(std::string{source_ip});
  };
  auto command = std::make_shared<pb::Command>();
  command->set_time_ms(to_unix_ms(now));
  if (gray_name.empty()) {
    fill(*command->mutable_config_remove());
    return command;
  }
  auto& body = *command->mutable_gray_remove();
  fill(body);
  body.set_name(std::string{gray_name});
  return command;
}

std::string tag_gray_name(std::string_view tag) {
  std::string name;
  if (!tag.starts_with(tag_gray_prefix))
    name = tag_gray_prefix;
  name += tag;
  return name;
}

} // namespace muster::nacos
