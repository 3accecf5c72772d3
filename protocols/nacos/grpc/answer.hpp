#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "actors/core/base/result.hpp"

/// What a handler gives back, and how failures are spelled.
/// Source: nacos-grpc 4.
namespace muster::nacos::remote {

/// Nacos' error codes that this front-end uses (nacos-grpc 4.4).
enum class code : std::int32_t {
  ok = 0,
  wrong_client = -401,
  starting = 300,
  no_config = 300, ///< in ConfigQueryResponse
  unregistered = 301,
  no_handler = 302,
  invalid = 400,
  forbidden = 403,
  not_found = 404,
  conflict = 409,
  server = 500,
  unimplemented = 501,
  malformed = 502,
  busy = 503,
  patterns = 50310,
  matches = 50311,
};

/// One answer: `metadata.type` and the body. Value type.
struct reply {
  std::string_view type = {}; ///< a literal
  std::string body = {};      ///< JSON
  /// If set: stands between `body` and `after`, shared instead of copied.
  std::shared_ptr<const std::string> shared = {};
  std::string_view after = {}; ///< a literal
  /// If set: the whole payload as it goes out; the others are ignored.
  std::shared_ptr<const std::string> encoded = {};
  bool failed = false;
};

/// `{"resultCode":200,"errorCode":0,<members>,"success":true}`; `members` is
/// JSON without its braces, or empty.
reply success(std::string_view type, std::string_view members = {});

/// The typed form: a refusal for a reason. `members` are those that strict
/// clients want in failures, too (13.3).
reply failure(std::string_view type, code what, std::string_view text,
              std::string_view members = {});

/// `ErrorResponse`: refusals of the transport, after which Java retries.
reply refusal(code what, std::string_view text);

/// The one table from our error codes to Nacos'.
code to_code(errc what) noexcept;

} // namespace muster::nacos::remote
