#include "protocols/nacos/http/answers.hpp"

#include <array>
#include <ctime>

#include "actors/core/base/clock.hpp"
#include "protocols/common/json_out.hpp"
#include "protocols/common/status_text.hpp"
#include "protocols/nacos/http/times.hpp"

namespace muster::nacos {

namespace {

/// v1 config APIs name the character set in all their JSON.
std::string_view spring_type(std::string_view path) noexcept {
  return path_below_context(path).starts_with("/v1/cs/") ? json_utf8_type
                                                         : json_type;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    case '\'':
      out += "&#39;";
      break;
    default:
      out += c;
    }
  }
  return out;
}

std::string caused(std::string_view text) {
  return "caused: " + std::string{text} + ';';
}

std::string envelope_body(wire_code code, std::string_view message,
                          std::string_view data) {
  std::string body;
  common::json_out(body)
      .object()
      .member("code", static_cast<int>(code))
      .member("message", message)
      .member_raw("data", data)
      .end();
  return body;
}

http::response usual_error(family of, const api_error& error) {
  switch (of) {
  case family::config_v1:
    return text_reply(error.status, caused(error.text));
  case family::naming_v1:
    return text_reply(error.status, error.text);
  case family::console_v1:
    return text_reply(error.status, escape_html(caused(error.text)));
  case family::envelope:
    break;
  }
  std::string data;
  common::append_json_string(data, error.text);
  return http::reply(error.status, json_type,
                     envelope_body(error.code, text_of(error.code), data));
}

http::response refusal_reply(const api_error& error) {
  auto answer = text_reply(error.status, error.text + "\r\n");
  add_no_cache(answer);
  return answer;
}

} // namespace

std::string_view text_of(wire_code code) noexcept {
  switch (code) {
  case wire_code::success:
    return "success";
  case wire_code::parameter_missing:
    return "parameter missing";
  case wire_code::access_denied:
    return "access denied";
  case wire_code::parameter_validate_error:
    return "parameter validate error";
  case wire_code::resource_not_found:
    return "resource not found";
  case wire_code::resource_conflict:
    return "resource conflict";
  case wire_code::config_gray_over_max_version_count:
    return "config gray version version over max count";
  case wire_code::weight_error:
    return "weight error";
  case wire_code::instance_metadata_error:
    return "instance metadata error";
  case wire_code::instance_not_found:
    return "instance not found";
  case wire_code::instance_error:
    return "instance error";
  case wire_code::service_metadata_error:
    return "service metadata error";
  case wire_code::selector_error:
    return "selector error";
  case wire_code::service_already_exists:
    return "service already exist";
  case wire_code::service_not_exist:
    return "service not exist";
  case wire_code::service_delete_failure:
    return "service delete failure";
  case wire_code::illegal_namespace:
    return "illegal namespace";
  case wire_code::namespace_not_exist:
    return "namespace not exist";
  case wire_code::namespace_already_exists:
    return "namespace already exist";
  case wire_code::illegal_state:
    return "illegal state";
  case wire_code::server_error:
    return "server error";
  }
  return "server error";
}

api_error to_api_error(const error& e) {
  struct row {
    unsigned status;
    wire_code code;
  };
  const auto [status, code] = [&e]() -> row {
    switch (e.code) {
    case errc::invalid_argument:
    case errc::out_of_range:
      return {400, wire_code::parameter_validate_error};
    case errc::failed_precondition:
      return {400, wire_code::server_error};
    case errc::not_found:
      return {404, wire_code::resource_not_found};
    case errc::already_exists:
      return {400, wire_code::resource_conflict};
    case errc::aborted:
      return {500, wire_code::resource_conflict};
    case errc::permission_denied:
    case errc::unauthenticated:
      return {403, wire_code::access_denied};
    case errc::unimplemented:
      return {501, wire_code::server_error};
    case errc::resource_exhausted:
    case errc::unavailable:
      return {503, wire_code::server_error};
    case errc::ok:
    case errc::cancelled:
    case errc::unknown:
    case errc::deadline_exceeded:
    case errc::internal:
    case errc::data_loss:
      break;
    }
    return {500, wire_code::server_error};
  }();
  return {status, code, e.message};
}

api_error missing_servlet(std::string_view name) {
  return {400, wire_code::parameter_missing,
          "Required parameter '" + std::string{name} + "' is not present.",
          api_error::form::spring};
}

api_error missing_required(std::string_view name) {
  return {400, wire_code::parameter_missing,
          "Param '" + std::string{name} + "' is required."};
}

api_error missing_framework(std::string_view name) {
  return {400, wire_code::parameter_missing,
          "Parameter '" + std::string{name} + "' is missing"};
}

api_error missing_form(std::string_view name, std::string_view type) {
  return {400, wire_code::parameter_missing,
          "Required parameter '" + std::string{name} + "' type "
              + std::string{type} + " is not present"};
}

api_error missing_argument(std::string_view name, std::string_view type) {
  return {400, wire_code::parameter_missing,
          "Required request parameter '" + std::string{name}
              + "' for method parameter type " + std::string{type}
              + " is not present"};
}

api_error invalid(std::string text) {
  return {400, wire_code::parameter_validate_error, std::move(text)};
}

api_error not_a_number(std::string_view value) {
  return invalid("For input string: \"" + std::string{value} + '"');
}

api_error illegal_name(std::string text) {
  return {400, wire_code::parameter_validate_error, std::move(text),
          api_error::form::refusal};
}

http::response json_reply(std::string body) {
  return http::reply(200, json_type, std::move(body));
}

http::response text_reply(unsigned status, std::string body) {
  return http::reply(status, text_type, std::move(body));
}

http::response envelope(std::string_view data) {
  return json_reply(
      envelope_body(wire_code::success, text_of(wire_code::success), data));
}

http::response soft_error(wire_code code) {
  return json_reply(envelope_body(code, text_of(code), "null"));
}

http::response rest_result(int code, std::string_view message,
                           std::string_view data) {
  std::string body;
  common::json_out out(body);
  out.object().member("code", code).key("message");
  if (message.empty())
    out.value(nullptr);
  else
    out.value(message);
  out.member_raw("data", data).member("noRight", false).end();
  return json_reply(std::move(body));
}

http::response spring_error(const http::request& request, unsigned status,
                            std::string_view message) {
  std::string body;
  common::json_out(body)
      .object()
      .member("timestamp", iso_time(system_clock().wall()))
      .member("status", status)
      .member("error", http::status_text(status))
      .member("message", message)
      .member("path", request.path)
      .end();
  return http::reply(status, spring_type(request.path), std::move(body));
}

http::response error_reply(family of, const http::request& request,
                           const api_error& error) {
  switch (error.as) {
  case api_error::form::usual:
    return usual_error(of, error);
  case api_error::form::spring:
    return spring_error(request, error.status, error.text);
  case api_error::form::refusal:
    return refusal_reply(error);
  case api_error::form::fixed:
    break;
  }
  return http::reply(error.status, json_utf8_type, error.text);
}

void add_no_cache(http::response& response) {
  response.headers.emplace_back("Pragma", "no-cache");
  response.headers.emplace_back("Expires", "Thu, 01 Jan 1970 00:00:00 GMT");
  response.headers.emplace_back("Cache-Control", "no-cache,no-store");
}

std::string http_date(std::uint64_t unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  const auto n =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %T GMT", &utc);
  return {text.data(), n};
}

std::string_view path_below_context(std::string_view path) noexcept {
  constexpr std::string_view context = "/nacos";
  if (path.starts_with(context)
      && (path.size() == context.size() || path[context.size()] == '/'))
    path.remove_prefix(context.size());
  return path;
}

} // namespace muster::nacos
