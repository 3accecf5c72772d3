#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "actors/core/model/keys.hpp"
#include "actors/core/watch/pattern.hpp"

/// Patterns and keys of fuzzy watches, as texts. Pure functions, any thread.
/// Source: nacos-grpc 6.2, 6.9, 7.8.
namespace muster::nacos::remote {

/// What `namespace>>group>>name` asks for.
struct fuzzy_pattern {
  std::string space{public_namespace}; ///< exact; blank means public
  watch::name_pattern names;
};
/// A text of another shape becomes a pattern that nothing matches.
fuzzy_pattern parse_pattern(std::string_view text);

/// `dataId+group+namespace` with `+` and `%` escaped.
std::string config_group_key(const config_key& key);
std::optional<config_key> parse_config_group_key(std::string_view text);

/// `namespace@@group@@service`.
std::string service_group_key(const service_key& key);
std::optional<service_key> parse_service_group_key(std::string_view text);

} // namespace muster::nacos::remote
