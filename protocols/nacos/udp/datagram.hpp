#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The two texts of a push and their bounds. Pure, any thread. Source:
/// nacos-http 3.7.
namespace muster::nacos::udp {

/// What UDP over IPv4 carries; clients receive into 64 KiB.
inline constexpr std::size_t datagram_bytes_max = 65'507;
/// From here on a datagram is compressed (gzip), as clients expect.
inline constexpr std::size_t plain_bytes_max = 1'024;
/// A longer text is not even tried: instances differ in some 20 bytes each that
/// do not compress, so it would not get below `datagram_bytes_max`.
inline constexpr std::size_t text_bytes_max = 2U << 20U;

/// An acknowledgement has about 60 bytes.
inline constexpr std::size_t ack_bytes_max = 1'024;

/// The datagram that tells of a service: `{"type":"dom",…}`. `service_info` is
/// its JSON text, `id` comes back with the acknowledgement. Nothing if it does
/// not fit into one datagram.
std::optional<std::string> encode_push(std::string_view service_info,
                                       std::uint64_t id);

/// The id that `{"type":"push-ack","lastRefTime":id}` acknowledges; Java and Go
/// send it as a text. Nothing if it is anything else.
std::optional<std::uint64_t> parse_ack(std::string_view datagram);

} // namespace muster::nacos::udp
