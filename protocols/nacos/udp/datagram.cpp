#include "protocols/nacos/udp/datagram.hpp"

#include <zlib.h>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "actors/core/base/text.hpp"
#include "protocols/common/json.hpp"
#include "protocols/common/json_out.hpp"

namespace muster::nacos::udp {

namespace {

/// zlib's largest window, with gzip's head and tail around it.
constexpr int gzip_window = 15 + 16;
constexpr int memory_level = 8; ///< zlib's default

constexpr common::json_limits ack_limits{ack_bytes_max, 4, 16U << 10U};

unsigned char* bytes_of(const char* text) noexcept {
  // zlib does not write to its input.
  return reinterpret_cast<unsigned char*>(const_cast<char*>(text));
}

/// Nothing if the result is longer than a datagram.
std::optional<std::string> gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window,
                   memory_level, Z_DEFAULT_STRATEGY)
      != Z_OK)
    return std::nullopt;
  std::string out(datagram_bytes_max, '\0');
  stream.next_in = bytes_of(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = bytes_of(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const auto ended = deflate(&stream, Z_FINISH);
  deflateEnd(&stream);
  if (ended != Z_STREAM_END)
    return std::nullopt;
  return out.substr(0, stream.total_out);
}

} // namespace

std::optional<std::string> encode_push(std::string_view service_info,
                                       std::uint64_t id) {
  if (service_info.size() > text_bytes_max)
    return std::nullopt;
  std::string text;
  text.reserve(service_info.size() * 5 / 4 + 64);
  common::json_out(text)
      .object()
      .member("type", "dom")
      .member("data", service_info)
      .member("lastRefTime", id)
      .end();
  if (text.size() < plain_bytes_max)
    return text;
  return gzip(text);
}

std::optional<std::uint64_t> parse_ack(std::string_view datagram) {
  const auto parsed = common::parse_json(datagram, ack_limits);
  if (!parsed || !parsed->is_object())
    return std::nullopt;
  const auto& ack = parsed->get_object();
  const auto* type = ack.if_contains("type");
  const auto* id = ack.if_contains("lastRefTime");
  if (!type || !id || !type->is_string() || type->get_string() != "push-ack")
    return std::nullopt;
  if (id->is_string())
    return parse_number<std::uint64_t>(id->get_string());
  if (id->is_int64() && id->get_int64() >= 0)
    return static_cast<std::uint64_t>(id->get_int64());
  if (id->is_uint64())
    return id->get_uint64();
  return std::nullopt;
}

} // namespace muster::nacos::udp
