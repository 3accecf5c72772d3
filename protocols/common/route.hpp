#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "actors/api/node.hpp"
#include "protocols/common/http_types.hpp"

/// One declarative table per product; router, permission gate, metrics labels
/// and the list of APIs are made from it.
namespace muster::common {

/// What a route works with, beside the request.
struct context {
  api::node& node;
  http::request& request;
  /// True once the client has closed; long polls look at it after waking.
  /// `wait_closed` in gateway.hpp ends their wait early.
  const bool& client_gone;
};

using handler = boost::asio::awaitable<http::response> (*)(context&);

/// Which switch guards a route (nacos-http 1.7).
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

struct route {
  http::method verb;
  /// Path below the context path; `{name}` matches one segment.
  std::string_view pattern;
  permission needs;
  gate switched_by = gate::none;
  handler call = nullptr;
  /// Largest body taken, bytes.
  std::size_t body_bytes_max = 0;
  /// Held requests: not counted as slow, given a longer deadline.
  bool long_poll = false;
};

} // namespace muster::common
