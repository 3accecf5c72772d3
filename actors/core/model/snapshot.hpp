#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/core/base/render_cache.hpp"
#include "actors/core/model/keys.hpp"

/// What readers see of a config: immutable, shared, never locked.
namespace muster {

/// One delivered version (formal or gray) of a config.
struct config_version {
  std::uint64_t id = 0;
  std::string content;
  std::string md5;
  std::string type;
  std::string app_name;
  std::string encrypted_data_key;
  std::uint64_t modify_time_ms = 0;
};

/// A gray version with the rule that says who gets it.
struct gray_version {
  std::string name;       ///< `beta`, `tag_<tag>`
  std::string rule_type;  ///< `beta`, `tag`
  std::string expression; ///< comma list of IPs, or the tag
  std::int32_t priority = 0;
  config_version body;
};

/// A config as of one revision: the formal version, if there is one, and its
/// grays sorted by (priority descending, name). Either part may be missing, not
/// both: a config without any version is a null pointer.
struct config_snapshot {
  config_key key;
  /// Raft index of the newest change; rises with every change of this config.
  std::uint64_t revision = 0;
  std::shared_ptr<const config_version> formal;
  std::vector<std::shared_ptr<const gray_version>> grays;
  render_cache rendered;
};

using config_snapshot_ptr = std::shared_ptr<const config_snapshot>;

} // namespace muster
