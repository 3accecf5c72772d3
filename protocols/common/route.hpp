#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "actors/api/node.hpp"
#include "protocols/common/http_types.hpp"

/// One declarative table per product; router, permission gate, metrics labels
/// and the list of APIs are made from it.
namespace muster::common {

class metrics_registry;

/// What the handlers of one product share beside the node; each product derives
/// its own, and its handlers know which. Used by all threads at once.
struct product_parts {
  virtual ~product_parts() = default;
};

/// What a route works with. Lives until the handler's coroutine has ended.
struct context {
  api::node& node;
  http::request& request;
  /// Long polls give it to `inbox::wait`, so that they end with their client.
  http::client_link& client;
  /// Of the whole process, for the route that shows it; null = none is kept.
  const metrics_registry* metrics = nullptr;
  /// `product::parts` of the route's product.
  const product_parts* parts = nullptr;

  bool client_gone() const noexcept { return client.gone(); }
};

/// Exceptions that leave a handler are answered 500 and counted; they are bugs.
using handler = boost::asio::awaitable<http::response> (*)(context&);

/// Which switch guards a route (nacos-http 1.7). `always` = no switch, every
/// caller passes (login, state, health).
enum class scope : std::uint8_t { open, admin, console, always };
enum class action : std::uint8_t { none, read, write };
/// What names the resource the permission is asked for.
enum class resource : std::uint8_t { none, identity, config, naming, fixed };

struct permission {
  scope where = scope::always;
  action what = action::none;
  resource of = resource::none;
  std::string_view fixed_name = {};
};

/// Which compatibility switch turns a route off (nacos-http 1.12).
enum class gate : std::uint8_t { none, client, admin, console };
inline constexpr std::size_t gate_count = 4;

struct route {
  http::method verb;
  /// Path below the context path, starting with '/'; `{name}` matches one
  /// segment that is not empty. Compared byte by byte with the decoded path: no
  /// trailing slash, no ";matrix". A pattern without `{}` wins over one with; a
  /// HEAD request finds the GET row.
  std::string_view pattern;
  permission needs;
  gate switched_by = gate::none;
  handler call = nullptr;
  /// Largest body taken, bytes; 0 = the listener's default
  /// (`http::limits::body_bytes_default`). Never more than what the listener
  /// takes at all (`body_bytes_max` there).
  std::size_t body_bytes_max = 0;
  /// Held requests: not counted as slow, given a longer deadline.
  bool long_poll = false;
};

/// Why a request is answered without its handler.
enum class refusal_kind : std::uint8_t {
  malformed,       ///< 400 not HTTP, bad path, too many parameters
  forbidden,       ///< 403 the permission gate said no
  not_found,       ///< 404
  wrong_method,    ///< 405
  timed_out,       ///< 408 head or body came too slowly
  body_too_large,  ///< 413
  target_too_long, ///< 414
  head_too_large,  ///< 431
  switched_off,    ///< 410 by a compatibility gate
  failed,          ///< 500 a handler threw
  unsupported,     ///< 501 a method or transfer coding we do not know
  busy,            ///< 503 over a limit; nothing was done
};

unsigned status_of(refusal_kind kind) noexcept;

struct refusal {
  refusal_kind kind = refusal_kind::malformed;
  /// A sentence for a person.
  std::string detail;
  /// The route, where one was found.
  const route* where = nullptr;
  /// Methods that the path knows, for 405.
  std::string allow;
};

/// The body of a refusal in the product's own form. `request` has target, path
/// and method where these were read, else they are empty. The listener adds
/// `Allow` and `Retry-After`. Must not throw.
using refuser = http::response (*)(const refusal&, const http::request&);

/// `{"status":…,"error":…,"message":…,"path":…}`, for requests that belong to
/// no product.
http::response plain_refusal(const refusal& why, const http::request& request);

/// One product on a listener. Views must outlive the server.
struct product {
  std::string_view name;
  /// "/nacos"; routes are reachable with and without it. Empty = none. A
  /// request that matches no route goes to the product whose context path is
  /// the longest prefix of its path; the first product takes the rest.
  std::string context_path;
  std::span<const route> routes;
  refuser refuse = &plain_refusal;
  std::shared_ptr<const product_parts> parts = {};
};

} // namespace muster::common
