#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "actors/core/base/result.hpp"
#include "protocols/common/http_types.hpp"

/// The answer shapes of Nacos' HTTP APIs and its errors (nacos-http 1.4, 1.5).
///
/// Handlers work with `or_error<T>`; `error_reply` alone knows how each version
/// spells an error. Pure, any thread.
namespace muster::nacos {

/// Error codes of the v2/v3 envelope (nacos-http 1.5), those that are used.
enum class wire_code : int {
  success = 0,
  parameter_missing = 10000,
  access_denied = 10001,
  parameter_validate_error = 20002,
  resource_not_found = 20004,
  resource_conflict = 20005,
  config_gray_over_max_version_count = 20010,
  weight_error = 21001,
  instance_metadata_error = 21002,
  instance_not_found = 21003,
  instance_error = 21004,
  service_metadata_error = 21005,
  selector_error = 21006,
  service_already_exists = 21007,
  service_not_exist = 21008,
  service_delete_failure = 21009,
  illegal_namespace = 22000,
  namespace_not_exist = 22001,
  namespace_already_exists = 22002,
  illegal_state = 23000,
  server_error = 30000,
};

/// The fixed `message` text of a code.
std::string_view text_of(wire_code code) noexcept;

/// Which family of APIs a request belongs to: decides the form of its errors.
enum class family {
  config_v1,  ///< `caused: <text>;`
  naming_v1,  ///< the plain text
  console_v1, ///< `caused: <text>;`, HTML-escaped
  envelope,   ///< v2 and v3: `{"code","message","data"}`
};

/// What went wrong, before it is put into a version's form.
struct api_error {
  /// `usual`: the family's own form. `spring`: the framework's error JSON.
  /// `refusal`: the plain line of the parameter check. `fixed`: `text` is the
  /// whole body, a JSON word.
  enum class form { usual, spring, refusal, fixed };

  unsigned status = 400;
  wire_code code = wire_code::server_error;
  std::string text;
  form as = form::usual;
};

template <class T>
using or_error = std::expected<T, api_error>;

inline std::unexpected<api_error> refuse(api_error error) {
  return std::unexpected(std::move(error));
}

/// The one table from our error codes to Nacos': status and envelope code.
api_error to_api_error(const error& e);

// -- errors that several handlers give ----------------------------------------

/// v1 config, login: the framework's 400 for a missing parameter.
api_error missing_servlet(std::string_view name);
/// v1 naming, parameters that Nacos reads by hand: `Param 'x' is required.`
api_error missing_required(std::string_view name);
/// v1 naming, parameters the framework reads: `Parameter 'x' is missing`.
api_error missing_framework(std::string_view name);
/// v2, v3 form members.
api_error missing_form(std::string_view name, std::string_view type = "String");
/// v2, v3 parameters the framework reads.
api_error missing_argument(std::string_view name,
                           std::string_view type = "String");
/// 400 20002.
api_error invalid(std::string text);
/// `For input string: "x"`: what a number is not.
api_error not_a_number(std::string_view value);
/// The parameter check's line (nacos-http 1.8).
api_error illegal_name(std::string text);

// -- responses ----------------------------------------------------------------

inline constexpr std::string_view json_type = "application/json";
inline constexpr std::string_view json_utf8_type =
    "application/json;charset=UTF-8";
inline constexpr std::string_view text_type = "text/plain;charset=UTF-8";

http::response json_reply(std::string body);
http::response text_reply(unsigned status, std::string body);

/// `{"code":0,"message":"success","data":<data>}`; `data` is JSON.
http::response envelope(std::string_view data);
/// An envelope that is an error with HTTP 200 (v3 client): data null.
http::response soft_error(wire_code code);
/// `{"code":200,"message":<text or null>,"data":<data>,"noRight":false}`
http::response rest_result(int code, std::string_view message,
                           std::string_view data);

/// The framework's `{"timestamp","status","error","message","path"}`.
http::response spring_error(const http::request& request, unsigned status,
                            std::string_view message);

http::response error_reply(family of, const http::request& request,
                           const api_error& error);

/// Adds `Pragma`, `Expires` and `Cache-Control` (nacos-http 2.2).
void add_no_cache(http::response& response);

/// `Sun, 06 Nov 1994 08:49:37 GMT`
std::string http_date(std::uint64_t unix_ms);

/// The path below the context path `/nacos`.
std::string_view path_below_context(std::string_view path) noexcept;

} // namespace muster::nacos
