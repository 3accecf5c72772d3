#pragma once

#include <string>
#include <string_view>

#include "protocols/common/http_types.hpp"

/// How responses become bytes.
namespace muster::http {

/// What the connection adds to a response.
struct framing {
  /// "Sun, 06 Nov 1994 08:49:37 GMT", 29 characters (RFC 9110, 5.6.7).
  std::string_view date;
  /// The whole `Connection` line with CRLF, or empty.
  std::string_view connection;
  bool head_only = false; ///< answer to HEAD: no body
};

/// Bodies above this are not copied behind their head but sent from where they
/// are.
inline constexpr std::size_t inline_body_max = 16 << 10;

/// Appends a response to `out`. Returns what is to be sent after it (views into
/// `r`), empty if all of it was appended. Any thread.
std::string_view append_response(std::string& out, const response& r,
                                 const framing& f);

/// Status of a response, rendered or not.
unsigned status_of(const response& r) noexcept;

/// The date of a moment as HTTP writes it.
std::string http_date(wall_time t);

} // namespace muster::http
