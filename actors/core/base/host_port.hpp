#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

/// Where something listens.
struct host_port {
  std::string host; ///< a host name or an IP address, lower case, no brackets
  std::uint16_t port = 0;
  bool operator==(const host_port&) const = default;
};

/// A host name or an IP address, perhaps in brackets; none if it is neither.
/// Gives it back in lower case and without them. Whether there is such a host
/// is not looked at.
std::optional<std::string> parse_host(std::string_view text);

/// Reads `host:port` or `[IPv6]:port`; with a `usual_port` also `host`,
/// `[IPv6]` and a bare IPv6 address. None if the text is nothing of that.
std::optional<host_port>
parse_host_port(std::string_view text,
                std::optional<std::uint16_t> usual_port = std::nullopt);

} // namespace muster
