// Every answer shape and error form, and the table of error codes.
#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "protocols/nacos/http/answers.hpp"
#include "protocols/nacos/http/routes.hpp"

using namespace muster;
using namespace muster::nacos;

namespace {

http::request at(std::string_view path, http::method verb = http::method::get) {
  http::request request;
  request.verb = verb;
  request.path = path;
  return request;
}

std::string_view header_of(const http::response& r, std::string_view name) {
  for (const auto& [key, value] : r.headers)
    if (http::equal_ignoring_case(key, name))
      return value;
  return "(absent)";
}

http::response refused(common::refusal_kind kind, const http::request& request,
                       std::string allow = {}) {
  return refuse_request({kind, "why", nullptr, std::move(allow)}, request);
}

} // namespace

TEST_CASE("error forms: each family has its own") {
  const auto request = at("/nacos/v1/cs/configs");
  const api_error e{400, wire_code::parameter_validate_error, "bad 'x' & <y>"};
  const auto config = error_reply(family::config_v1, request, e);
  CHECK(config.status == 400);
  CHECK(config.body_view() == "caused: bad 'x' & <y>;");
  CHECK(config.content_type == text_type);
  CHECK(error_reply(family::naming_v1, request, e).body_view()
        == "bad 'x' & <y>");
  CHECK(error_reply(family::console_v1, request, e).body_view()
        == "caused: bad &#39;x&#39; &amp; &lt;y&gt;;");
  const auto v2 = error_reply(family::envelope, request, e);
  CHECK(v2.content_type == json_type);
  CHECK(v2.body_view()
        == R"({"code":20002,"message":"parameter validate error",)"
           R"("data":"bad 'x' & <y>"})");
}

TEST_CASE("error forms: framework JSON, refusal line, fixed body") {
  const auto request = at("/nacos/v1/cs/configs");
  const auto spring =
      error_reply(family::config_v1, request, missing_servlet("dataId"));
  CHECK(spring.content_type == json_utf8_type);
  const auto json = boost::json::parse(std::string{spring.body_view()});
  CHECK(json.as_object().size() == 5);
  CHECK(json.at("status") == 400);
  CHECK(json.at("error") == "Bad Request");
  CHECK(json.at("message") == "Required parameter 'dataId' is not present.");
  CHECK(json.at("path") == "/nacos/v1/cs/configs");
  CHECK(json.at("timestamp").as_string().ends_with("+00:00"));
  CHECK(json.at("timestamp").as_string().size() == 29);

  const auto line = error_reply(family::envelope, at("/nacos/v2/cs/config"),
                                illegal_name("Param 'x' is illegal"));
  CHECK(line.status == 400);
  CHECK(line.body_view() == "Param 'x' is illegal\r\n");
  CHECK(header_of(line, "Cache-Control") == "no-cache,no-store");

  const auto fixed = error_reply(
      family::config_v1, request,
      {500, wire_code::server_error, "false", api_error::form::fixed});
  CHECK(fixed.status == 500);
  CHECK(fixed.body_view() == "false");
}

TEST_CASE("missing parameters: the words of each reader") {
  CHECK(missing_required("ip").text == "Param 'ip' is required.");
  CHECK(missing_framework("key").text == "Parameter 'key' is missing");
  CHECK(missing_form("port", "Integer").text
        == "Required parameter 'port' type Integer is not present");
  CHECK(missing_argument("nid", "Long").text
        == "Required request parameter 'nid' for method parameter type Long is "
           "not present");
  CHECK(not_a_number("x").text == R"(For input string: "x")");
}

TEST_CASE("envelopes") {
  CHECK(envelope("true").body_view()
        == R"({"code":0,"message":"success","data":true})");
  CHECK(soft_error(wire_code::resource_not_found).body_view()
        == R"({"code":20004,"message":"resource not found","data":null})");
  CHECK(soft_error(wire_code::resource_not_found).status == 200);
  CHECK(rest_result(200, {}, "[]").body_view()
        == R"({"code":200,"message":null,"data":[],"noRight":false})");
}

TEST_CASE("our error codes: status and envelope code of each") {
  struct row {
    errc code;
    unsigned status;
    wire_code wire;
  };
  for (const auto& [code, status, wire] :
       {row{errc::invalid_argument, 400, wire_code::parameter_validate_error},
        row{errc::out_of_range, 400, wire_code::parameter_validate_error},
        row{errc::failed_precondition, 400, wire_code::server_error},
        row{errc::not_found, 404, wire_code::resource_not_found},
        row{errc::already_exists, 400, wire_code::resource_conflict},
        row{errc::aborted, 500, wire_code::resource_conflict},
        row{errc::permission_denied, 403, wire_code::access_denied},
        row{errc::unauthenticated, 403, wire_code::access_denied},
        row{errc::unimplemented, 501, wire_code::server_error},
        row{errc::resource_exhausted, 503, wire_code::server_error},
        row{errc::unavailable, 503, wire_code::server_error},
        row{errc::deadline_exceeded, 500, wire_code::server_error},
        row{errc::unknown, 500, wire_code::server_error},
        row{errc::internal, 500, wire_code::server_error}}) {
    const auto e = to_api_error({code, "text"});
    CAPTURE(to_string(code));
    CHECK(e.status == status);
    CHECK(e.code == wire);
    CHECK(e.text == "text");
  }
}

TEST_CASE("requests that reach no handler") {
  using kind = common::refusal_kind;
  CHECK(refused(kind::not_found, at("/nacos/v2/golden")).status == 404);
  CHECK(refused(kind::not_found, at("/nacos/v2/golden"))
            .body_view()
            .contains("No endpoint GET /nacos/v2/golden."));
  const auto naming = refused(kind::not_found, at("/nacos/v1/ns/golden"));
  CHECK(naming.status == 501);
  CHECK(naming.body_view().contains("no such api:GET:/nacos/v1/ns/golden"));
  CHECK(refused(kind::not_found, at("/v1/ns/golden")).status == 501);
  CHECK(refused(kind::not_found, at("/nacos/v1/ns/instance/")).status == 404);
  const auto put = at("/nacos/v1/cs/configs", http::method::put);
  const auto wrong =
      refused(kind::wrong_method, put, "GET, HEAD, POST, DELETE");
  CHECK(wrong.status == 405);
  CHECK(header_of(wrong, "Allow") == "GET, POST, DELETE");
  CHECK(wrong.body_view().contains("Method 'PUT' is not supported."));
  const auto post = at("/nacos/v1/ns/instance/list", http::method::post);
  CHECK(refused(kind::wrong_method, post, "GET").status == 501);
  CHECK(refused(kind::switched_off, put).status == 410);
  CHECK(refused(kind::switched_off, put).body_view().contains("40000"));
  CHECK(refused(kind::forbidden, put)
            .body_view()
            .contains("Code: 403, Message: why."));
  CHECK(refused(kind::body_too_large, put).status == 413);
  CHECK(refused(kind::busy, put).status == 503);
}

TEST_CASE("OPTIONS: allowed methods, no cross-origin use") {
  auto request = at("/nacos/v1/cs/configs", http::method::options);
  using kind = common::refusal_kind;
  const auto plain = refused(kind::wrong_method, request, "GET, HEAD, POST");
  CHECK(plain.status == 200);
  CHECK(header_of(plain, "Allow") == "GET, HEAD, POST, OPTIONS");
  request.headers = {{"Origin", "http://example.com"},
                     {"Access-Control-Request-Method", "POST"}};
  const auto cors = refused(kind::wrong_method, request, "GET, POST");
  CHECK(cors.status == 403);
  CHECK(cors.body_view() == "Invalid CORS request");
}
