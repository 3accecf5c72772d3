#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "actors/core/model/keys.hpp"
#include "actors/core/naming/view.hpp"
#include "protocols/nacos/codec/request_rules.hpp"

/// Names as Nacos spells them on the wire, and what it accepts as a name.
/// Pure functions, any thread. Source: nacos-http 1.3, 1.8, 3; nacos-grpc 6.2,
/// B.
namespace muster::nacos {

/// Between group and service in the wire name of a service: `group@@service`.
inline constexpr std::string_view group_separator = "@@";

/// `group@@service`.
std::string grouped_name(std::string_view group, std::string_view service);
inline std::string grouped_name(const service_key& key) {
  return grouped_name(key.group, key.service);
}

/// The two halves of a wire name; the group is empty if there is no separator.
/// Split at the first `@@`. Views into `name`.
struct name_parts {
  std::string_view group;
  std::string_view service;
};
name_parts split_grouped(std::string_view name) noexcept;

/// Without blanks (all bytes <= ' ') at both ends.
std::string_view trim(std::string_view text) noexcept;
/// Empty or nothing but blanks.
bool blank(std::string_view text) noexcept;

/// The namespace a client means: trimmed, blank = `public`.
std::string_view space_or_public(std::string_view sent) noexcept;

/// Lower-case ASCII comparison.
bool same_letters(std::string_view a, std::string_view b) noexcept;

/// Names to check before a handler runs (nacos-http 1.8); blank ones pass.
struct checked_names {
  std::string_view space_name; ///< shown name of a namespace
  std::string_view space;
  std::string_view data_id;
  std::string_view service; ///< bare
  std::string_view group;
  std::string_view clusters; ///< comma list
  std::string_view cluster;  ///< one name
  std::string_view ip;
  std::string_view port;
};

/// The refusal's text without line end (`Param 'dataId' is illegal, …`), or
/// nothing if all pass or the check is off. The first fault in the order of the
/// members counts.
std::optional<std::string> check_names(const checked_names& names,
                                       const request_rules& rules);

/// The same for the metadata of an instance: is it too long?
std::optional<std::string> check_metadata(const naming::metadata_map& metadata,
                                          const request_rules& rules);

/// What registering refuses beside the names: heart-beat times below the
/// interval, cluster names with other characters than letters, digits and `-`.
/// The text Java gives, or nothing. (nacos-http 3.1, nacos-grpc B)
std::optional<std::string> check_instance(const naming::instance& instance);

/// Letters and digits of any script and `_-.:`, the alphabet that config
/// handlers check anew (nacos-http 1.8). False for empty text.
bool valid_config_name(std::string_view name) noexcept;

/// Number of UTF-16 units of UTF-8 text: Java counts lengths so. Bytes that are
/// no UTF-8 count one each.
std::size_t java_length(std::string_view utf8) noexcept;

/// `<ip>:<port>#true|false`: who a client without a connection is.
std::string http_client_id(std::string_view ip, std::uint16_t port,
                           bool ephemeral);

} // namespace muster::nacos
