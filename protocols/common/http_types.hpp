#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "actors/api/messages.hpp"
#include "protocols/common/params.hpp"

/// HTTP as handlers see it: no sockets, no parser, no product words.
namespace muster::http {

namespace asio = boost::asio;

enum class method : std::uint8_t { get, head, post, put, patch, del, options };

std::string_view to_string(method m) noexcept;

/// One request. Views point into the connection's buffer and are valid until
/// the response is handed back.
class request {
public:
  method verb = method::get;
  std::string_view target; ///< as sent: path and query
  std::string_view path;   ///< percent-decoded, without query
  std::string_view query;  ///< raw, without '?'
  std::string_view body;
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::string_view peer_ip; ///< TCP peer, text form
  api::request_meta meta;

  /// First header of that name, letter case ignored; empty if absent.
  std::string_view header(std::string_view name) const noexcept;
  bool has_header(std::string_view name) const noexcept;

  /// Query and form parameters merged, the query's value first (spec 1.2).
  /// Parsed at first use.
  const common::params& params() const;

  /// First of X-Forwarded-For, else X-Real-IP, else the peer (spec 1.2).
  std::string_view source_ip() const noexcept;

private:
  mutable std::unique_ptr<common::params> params_;
};

/// One response. Framing headers (Content-Length, Connection, Date) are the
/// listener's work.
struct response {
  unsigned status = 200;
  /// Empty = no Content-Type header.
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  /// The body; shared when it comes from a snapshot's render cache.
  std::variant<std::string, std::shared_ptr<const std::string>> body;
  /// If set: status line, headers and body already rendered, sent as it is
  /// (must be made by `render()`); the other members are ignored.
  std::shared_ptr<const std::string> rendered;

  std::string_view body_view() const noexcept;
};

/// Serialises a whole response for `response::rendered` (keep-alive form).
std::string render(const response& r);

} // namespace muster::http
