#pragma once

#include <string_view>

#include "actors/core/model/snapshot.hpp"

/// Which version of a config a client is served (nacos-http 9.2, nacos-grpc
/// 6.4): the core's choice with Nacos' names for it. Pure, any thread.
namespace muster::nacos {

inline constexpr std::string_view beta_gray_name = "beta";
/// A tag's gray is called `tag_<tag>`.
inline constexpr std::string_view tag_gray_prefix = "tag_";

/// What a client says of itself.
struct client_labels {
  std::string_view source_ip;
  /// The tag it asked for by name: without such a gray there is no answer, and
  /// no other labels than address and tag count.
  std::string_view asked_tag;
  /// The tag it carries along (`Vipserver-Tag`): else the formal version.
  std::string_view own_tag;
};

/// Views into the snapshot, valid while that lives.
struct chosen_version {
  const config_version* body = nullptr; ///< null: nothing for this client
  const gray_version* gray = nullptr;   ///< null: the formal version

  bool beta() const noexcept;
  bool tagged() const noexcept;
};

/// Grays by priority, the first that matches wins. `snapshot` may be null.
chosen_version choose_version(const config_snapshot* snapshot,
                              const client_labels& labels) noexcept;

/// md5 that this client would get; empty if there is nothing for it.
std::string_view md5_for(const config_snapshot* snapshot,
                         const client_labels& labels) noexcept;

/// The type clients are told: the formal version's if there is one (a gray
/// published without type does not change it), `text` if none is stored.
std::string_view type_of(const config_snapshot& snapshot,
                         const chosen_version& chosen) noexcept;

} // namespace muster::nacos
