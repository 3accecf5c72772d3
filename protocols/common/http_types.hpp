#pragma once

#include <cstddef>
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
inline constexpr std::size_t method_count = 7;

/// "GET" …
std::string_view to_string(method m) noexcept;

/// Header names and the like: ASCII letter case ignored.
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// One request. Views point into the connection's buffer and are valid until
/// the response is handed back, across every `co_await` of the handler.
/// Used by one thread, the connection's.
class request {
public:
  using field = std::pair<std::string_view, std::string_view>;

  method verb = method::get;
  std::string_view target; ///< as sent: path and query
  std::string_view path;   ///< percent-decoded, without query
  std::string_view query;  ///< raw, without '?'
  std::string_view body;
  std::vector<field> headers;
  /// What the `{name}` segments of the route's pattern matched, decoded.
  std::vector<field> path_values;
  std::string_view peer_ip; ///< TCP peer, text form
  api::request_meta meta;

  /// First header of that name, letter case ignored; empty if absent.
  std::string_view header(std::string_view name) const noexcept;
  bool has_header(std::string_view name) const noexcept;

  /// What `{name}` matched; empty if the pattern has no such segment.
  std::string_view path_value(std::string_view name) const noexcept;

  /// Query and form parameters merged, the query's value first (spec 1.2).
  /// Parsed at first use; the listener refused requests with more than
  /// `common::params::count_max` of them.
  const common::params& params() const;

  /// Whether the body is an urlencoded form by its Content-Type.
  bool has_form() const noexcept;

  /// First of X-Forwarded-For, else X-Real-IP, else the peer (spec 1.2).
  std::string_view source_ip() const noexcept;

  /// Back to an empty GET; keeps memory for the next request.
  void reset() noexcept;

private:
  mutable common::params params_;
  mutable bool params_parsed_ = false;
};

/// One response. Framing headers (Content-Length, Connection, Date) are the
/// listener's work. CR, LF and NUL in header values are sent as spaces.
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

/// `return reply(404, "text/plain;charset=UTF-8", "config data not exist\n");`
response reply(unsigned status, std::string_view content_type,
               std::string body);
/// An answer from a render cache.
response reply(std::shared_ptr<const std::string> rendered);

/// Serialises a whole response for `response::rendered`. The listener puts in
/// the date of the moment and, where needed, `Connection`; it leaves the body
/// out for HEAD.
std::string render(const response& r);

/// The client's end of a request being handled: lets a held request end early.
/// Lives as long as the request; used by the connection's thread only.
class client_link {
public:
  virtual ~client_link() = default;

  /// True once the client has closed its side while the request was held.
  bool gone() const noexcept { return gone_; }

  /// Runs `call` (at most once, on this thread) when the client closes; starts
  /// watching the connection for that. An empty function stops it. Replaces the
  /// one set before. `gateway::inbox::wait` does this for its callers.
  void on_gone(std::function<void()> call);

protected:
  /// Starts watching the connection; may be called again.
  virtual void watch_close() = 0;
  /// The connection's side: the client has closed.
  void set_gone();
  bool gone_ = false;

private:
  std::function<void()> call_;
};

} // namespace muster::http
