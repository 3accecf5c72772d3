#pragma once

#include <optional>
#include <vector>

#include "actors/core/base/result.hpp"
#include "actors/node/settings/member_list.hpp"
#include "actors/node/settings/settings.hpp"

namespace muster {

/// Asks the address server of `s` for the list of members: a text with one
/// `host[:port]` a line (never empty then). Blocks: `core.address-server.retry`
/// tries of 3 s at most, a second after each that failed. The error names what
/// was asked and the settings that say so. Source: Nacos' lookup type
/// `address-server` (platform.md 1.8).
result<std::optional<std::vector<member_address>>>
address_server_members(const settings& s);

} // namespace muster
