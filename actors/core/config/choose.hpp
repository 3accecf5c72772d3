#pragma once

#include <string_view>

#include "actors/core/model/snapshot.hpp"

/// Which version of a config a reader is given.
namespace muster::config {

/// Rule types of grays that are understood; others match nobody.
inline constexpr std::string_view address_rule = "beta"; ///< comma list of IPs
inline constexpr std::string_view tag_rule = "tag";      ///< one tag

/// What is known of a reader; empty = nothing.
struct labels {
  /// As the reader declared it.
  std::string_view client_ip;
  /// The tag it asks for: what matches it, or nothing.
  std::string_view asked_tag;
  /// The tag it carries along: what matches it, or else the formal version. Not
  /// looked at if a tag is asked for.
  std::string_view own_tag;
};

/// Pointers into the snapshot, valid while that lives.
struct choice {
  const config_version* body = nullptr; ///< null: nothing for this reader
  const gray_version* gray = nullptr;   ///< null: `body` is the formal version
};

/// The first gray, in the snapshot's order, whose rule matches; else the formal
/// version, unless a tag was asked for. `snapshot` may be null. Any thread.
choice choose(const config_snapshot* snapshot, const labels& reader) noexcept;

} // namespace muster::config
