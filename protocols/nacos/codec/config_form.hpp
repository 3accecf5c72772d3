#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "actors/core/base/clock.hpp"
#include "actors/core/model/keys.hpp"
#include "muster/command.pb.h"
#include "protocols/nacos/codec/request_rules.hpp"

/// From what a client publishes to the command that is proposed.
/// Pure, any thread. Source: nacos-http 1.8, 2.1; nacos-grpc 6.5.
namespace muster::nacos {

/// One publish as a client sent it. Views into the request.
struct config_form {
  key_view key; ///< namespace already defaulted
  std::string_view content;
  std::string_view type;
  std::optional<std::string_view> app_name; ///< absent: keep the stored one
  std::optional<std::string_view> tags;     ///< absent: keep; comma list
  std::string_view description;
  std::string_view usage;
  std::string_view effect;
  std::string_view schema;
  std::string_view encrypted_data_key;
  std::string_view user;
  std::string_view source_ip;
  std::string_view cas_md5;  ///< empty: unconditional
  std::string_view tag;      ///< not blank: publishes the tag's gray
  std::string_view beta_ips; ///< not blank: publishes the beta; wins over `tag`
};

/// Why a form is refused.
struct form_fault {
  std::string text;
  /// Found where Java's publishing step looks (tags, description…), not where
  /// it reads the request: v1 and gRPC answer these differently.
  bool late = false;
};

/// All checks of a publish; the names have passed `check_names` before.
std::expected<void, form_fault> check_form(const config_form& form,
                                           const request_rules& rules);

/// The command for a form that passed. `type` becomes `text` unless it is one
/// of the known names.
std::shared_ptr<const pb::Command> publish_command(const config_form& form,
                                                   const request_rules& rules,
                                                   wall_time now);

/// Removes the formal version, or the gray of that name.
std::shared_ptr<const pb::Command> remove_command(const key_view& key,
                                                  std::string_view gray_name,
                                                  std::string_view user,
                                                  std::string_view source_ip,
                                                  wall_time now);

/// `blue` and `tag_blue` both name the gray `tag_blue` (nacos-http 2.1).
std::string tag_gray_name(std::string_view tag);

} // namespace muster::nacos
