#include <doctest/doctest.h>

#include "protocols/common/auth_gate.hpp"
#include "protocols/common/limits.hpp"
#include "protocols/common/metrics.hpp"
#include "protocols/common/router.hpp"

using namespace muster;
using namespace muster::common;
using http::method;

namespace {

boost::asio::awaitable<http::response> nothing(context&) {
  co_return http::response{};
}

const route rows[] = {
    {method::get, "/v1/a", {}, gate::none, &nothing},
    {method::post, "/v1/a", {}, gate::none, &nothing},
    {method::get, "/v1/x/{id}", {}, gate::none, &nothing},
    {method::del, "/v1/x/{name}", {}, gate::none, &nothing},
    {method::get, "/v1/x/list", {}, gate::none, &nothing},
    {method::get, "/{a}/y/{b}", {}, gate::none, &nothing},
};
const route other_rows[] = {{method::get, "/kv", {}, gate::none, &nothing}};
const product tables[] = {{"one", "/nacos", rows},
                          {"two", "/nacos/two/", other_rows}};

} // namespace

TEST_CASE("every row is reachable with and without its context path") {
  const router r(tables);
  CHECK(r.rows().size() == 7);
  for (const auto& bound : r.rows()) {
    std::string path(bound.row->pattern);
    for (auto open = path.find('{'); open != path.npos; open = path.find('{'))
      path.replace(open, path.find('}') - open + 1, "value");
    const std::string prefix =
        bound.owner->name == "one" ? "/nacos" : "/nacos/two";
    for (const auto& full : {path, prefix + path}) {
      std::vector<http::request::field> values;
      const auto found = r.find(bound.row->verb, full, values);
      CHECK_MESSAGE(found.route == &bound, full);
    }
  }
}

TEST_CASE("fixed paths win, segments are named by the row found") {
  const router r(tables);
  const auto find = [&](method m, std::string_view path) {
    std::vector<http::request::field> values;
    const auto f = r.find(m, path, values);
    std::string out = f.route ? std::string(f.route->row->pattern) : f.allow;
    for (const auto& [name, value] : values)
      out.append(" ").append(name).append("=").append(value);
    return out;
  };
  CHECK(find(method::get, "/v1/x/list") == "/v1/x/list");
  CHECK(find(method::get, "/v1/x/7") == "/v1/x/{id} id=7");
  CHECK(find(method::del, "/v1/x/7") == "/v1/x/{name} name=7");
  CHECK(find(method::head, "/v1/x/7") == "/v1/x/{id} id=7");
  CHECK(find(method::get, "/nacos/q/y/z") == "/{a}/y/{b} a=q b=z");
  CHECK(find(method::put, "/v1/a") == "GET, HEAD, POST");
  for (const auto* none : {"", "v1/a", "/v1/a/", "/v1/a;x", "/V1/a", "/v1/x/",
                           "/v1//a", "/v1/x/1/", "/nacos", "/nacos/nacos/v1/a"})
    CHECK_MESSAGE(find(method::get, none) == "", none);
}

TEST_CASE("what is not found goes to the product with the longest prefix") {
  const router r(tables);
  const auto owner = [&](std::string_view path) {
    std::vector<http::request::field> values;
    return r.find(method::get, path, values).owner->name;
  };
  CHECK(owner("/elsewhere") == "one");
  CHECK(owner("/nacos/x") == "one");
  CHECK(owner("/nacos/two/x") == "two");
  CHECK(owner("/nacos/twofold") == "one");
}

TEST_CASE("faulty tables are found out") {
  const route twice[] = {rows[0], rows[0]};
  const route same_shape[] = {{method::get, "/{a}", {}, gate::none, &nothing},
                              {method::get, "/{b}", {}, gate::none, &nothing}};
  const route no_handler[] = {{method::get, "/a", {}, gate::none, nullptr}};
  const route no_slash[] = {{method::get, "a", {}, gate::none, &nothing}};
  const route bad_segment[] = {
      {method::get, "/a{b}", {}, gate::none, &nothing}};
  for (const auto routes :
       {std::span<const route>(twice), std::span<const route>(same_shape),
        std::span<const route>(no_handler), std::span<const route>(no_slash),
        std::span<const route>(bad_segment)}) {
    const product p[] = {{"p", "", routes}};
    const auto ok = router::check(p);
    REQUIRE_FALSE(ok);
    CHECK(ok.error().code == errc::invalid_argument);
  }
  CHECK(router::check(tables));
  CHECK_FALSE(router::check({}));
}

TEST_CASE("the gate refuses guarded scopes while there are no accounts") {
  const http::request r;
  for (const auto where :
       {scope::open, scope::admin, scope::console, scope::always})
    for (const auto what : {action::none, action::read, action::write})
      for (int bits = 0; bits < 8; ++bits) {
        const auth_gate g({(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0});
        const bool on = (where == scope::open && (bits & 1) != 0)
                        || (where == scope::admin && (bits & 2) != 0)
                        || (where == scope::console && (bits & 4) != 0);
        const auto ok = g.decide({where, what, resource::config, {}}, r);
        CHECK(ok.has_value() == (!on || what == action::none));
        if (!ok)
          CHECK(ok.error().code == errc::permission_denied);
      }
}

TEST_CASE("permits are bounded and come back") {
  permits p(10);
  CHECK(p.take(7));
  CHECK_FALSE(p.take(4));
  CHECK_FALSE(p.take(SIZE_MAX));
  CHECK(p.take(3));
  p.give(10);
  CHECK(p.in_use() == 0);
  keyed_permits k(1);
  CHECK(k.take("a"));
  CHECK_FALSE(k.take("a"));
  CHECK(k.take("b"));
  k.give("a");
  k.give("b");
  CHECK(k.keys() == 0);
}

TEST_CASE("request metrics add their shards up") {
  request_metrics m({{"GET", "/a", "p"}}, 2);
  using std::chrono::milliseconds;
  m.record(0, 0, 200, milliseconds{2});
  m.record(1, 0, 200, milliseconds{40});
  m.record(1, 0, 503, milliseconds{1});
  m.record(0, 99, 404, milliseconds{1});
  CHECK(m.count(0, 200) == 2);
  CHECK(m.count(99, 404) == 1);
  for (unsigned status = 400; status < 420; ++status)
    m.record(0, 0, status, milliseconds{1}); // more than there are slots for
  metrics_registry registry;
  const auto shared = std::make_shared<request_metrics>(
      std::vector<request_metrics::row_labels>{{"GET", "/a", "p"}}, 1);
  shared->record(0, 0, 200, milliseconds{250});
  registry.add(shared);
  registry.add_value("muster_x", "An x", "gauge", [] { return 7.0; });
  const auto text = registry.text();
  const std::string labels = "{exception=\"None\",method=\"GET\",outcome="
                             "\"SUCCESS\",status=\"200\",uri=\"/a\"} ";
  CHECK(text.find("http_server_requests_seconds_count" + labels + "1")
        != text.npos);
  CHECK(text.find("http_server_requests_seconds_sum" + labels + "0.25")
        != text.npos);
  CHECK(text.find("http_server_requests_seconds_max" + labels + "0.25")
        != text.npos);
  CHECK(text.find("muster_http_request_seconds_bucket{method=\"GET\",product="
                  "\"p\",uri=\"/a\",le=\"0.1\"} 0")
        != text.npos);
  CHECK(text.find("muster_x 7") != text.npos);
}
