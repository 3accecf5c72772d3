#include <doctest/doctest.h>

#include "protocols/common/digest.hpp"
#include "protocols/common/http_types.hpp"
#include "protocols/common/json.hpp"
#include "protocols/common/json_out.hpp"
#include "protocols/common/params.hpp"
#include "protocols/common/trace.hpp"
#include "protocols/common/wire.hpp"

using namespace muster;
using namespace muster::common;

TEST_CASE("url decoding is lenient, encoding is Java's") {
  struct row {
    std::string_view from, decoded, path;
  };
  for (const auto& [from, decoded, path] : {
           row{"", "", ""},
           row{"a+b%20c", "a b c", "a+b c"},
           row{"%e4%BD%a0", "\xe4\xbd\xa0", "\xe4\xbd\xa0"},
           row{"100%", "100%", "100%"},
           row{"%4", "%4", "%4"},
           row{"%zz%41", "%zzA", "%zzA"},
           row{"%%41", "%A", "%A"},
           row{"%2B%26%3d", "+&=", "+&="},
       }) {
    CHECK(url_decode(from) == decoded);
    CHECK(path_decode(from) == path);
  }
  CHECK(url_encode("a b-c_d.e*f~\xc3\xa9/") == "a+b-c_d.e*f%7E%C3%A9%2F");
}

TEST_CASE("parameters keep their order and the first value wins") {
  params p;
  REQUIRE(p.parse("a=1&b=x%20y&&a=2&empty=&bare&=v&c%3d=%41"));
  CHECK(p.get("a") == "1");
  CHECK(p.get("b") == "x y");
  CHECK(p.find("empty").value() == "");
  CHECK(p.find("bare").value() == "");
  CHECK(p.get("") == "v");
  CHECK(p.get("c=") == "A");
  CHECK_FALSE(p.find("none"));
  CHECK(p.get("none", "d") == "d");
  CHECK(p.all().size() == 7);
  p.add("late", "z");
  CHECK(p.get("late") == "z");
  auto moved = std::move(p);
  CHECK(moved.get("b") == "x y");
  moved.clear();
  CHECK(moved.all().empty());
}

TEST_CASE("too many parameters change nothing") {
  params p;
  REQUIRE(p.parse("a=1"));
  std::string many;
  for (std::size_t i = 0; i < params::count_max; ++i)
    many += "x=1&";
  const auto no = p.parse(many);
  REQUIRE_FALSE(no);
  CHECK(no.error().code == errc::invalid_argument);
  CHECK(p.all().size() == 1);
}

TEST_CASE("query and form are merged, the query first") {
  http::request r;
  r.query = "dataId=q&x=1";
  r.body = "dataId=f&y=%32";
  r.headers.emplace_back("content-type",
                         "Application/X-WWW-form-urlencoded; charset=UTF-8");
  CHECK(r.params().get("dataId") == "q");
  CHECK(r.params().get("y") == "2");
  r.reset();
  r.body = "a=1";
  r.headers.emplace_back("Content-Type", "text/plain");
  CHECK(r.params().all().empty());
}

TEST_CASE("json_out escapes and puts commas") {
  std::string out;
  json_out(out)
      .object()
      .member("code", 200)
      .member("big", std::uint64_t{18446744073709551615u})
      .member("text", "a\"b\\c\n\x01\xe4\xbd\xa0")
      .member("ok", true)
      .member("none", nullptr)
      .member("weight", 1.0)
      .member("small", 0.25)
      .key("list")
      .array()
      .value(1)
      .value("x")
      .object()
      .end()
      .end()
      .member_raw("raw", "{}")
      .end();
  CHECK(out
        == R"({"code":200,"big":18446744073709551615,"text":"a\"b\\c\n\u0001)"
           "\xe4\xbd\xa0"
           R"(","ok":true,"none":null,"weight":1.0,"small":0.25,)"
           R"("list":[1,"x",{}],"raw":{}})");
  const auto back = parse_json(out);
  REQUIRE(back);
  CHECK(back->at("weight").as_double() == 1.0);
}

TEST_CASE("json parsing is bounded") {
  CHECK(parse_json(R"({"a":1,"a":2})")->at("a").as_int64() == 2);
  const auto nested = [](std::size_t n) {
    return std::string(n, '[') + std::string(n, ']');
  };
  CHECK(parse_json(nested(64)));
  std::string keys = "{";
  for (int i = 0; i < 1'000'000; ++i)
    keys += "\"" + std::to_string(i) + "\":0,";
  keys += "\"end\":0}";
  std::string huge_number = "1" + std::string(100'000, '0');
  json_limits small;
  small.text_bytes_max = 3;
  struct row {
    std::string name, text;
    json_limits limits;
  };
  for (const auto& [name, text, limits] : {
           row{"empty", "", {}},
           row{"two values", "1 2", {}},
           row{"trailing comma", "[1,]", {}},
           row{"comment", "/**/1", {}},
           row{"depth 65", nested(65), {}},
           row{"depth 1e6", std::string(1'000'000, '['), {}},
           row{"bad UTF-8", "\"\xff\"", {}},
           row{"overlong UTF-8", "\"\xc0\xaf\"", {}},
           row{"cut UTF-8", "\"\xe4\xbd\"", {}},
           row{"lone surrogate", R"("\ud800")", {}},
           row{"million keys", keys, {}},
           row{"too long", "1234", small},
       }) {
    const auto no = parse_json(text, limits);
    CHECK_MESSAGE(!no, name);
    if (!no)
      CHECK(no.error().code == errc::invalid_argument);
  }
  CHECK((parse_json(huge_number) || true)); // ends, whatever it says
}

TEST_CASE("md5 is that of RFC 1321") {
  CHECK(md5_hex("") == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(md5_hex("abc") == "900150983cd24fb0d6963f7d28e17f72");
}

TEST_CASE("traceparent: the standard's examples and its refusals") {
  constexpr std::string_view good =
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto t = parse_traceparent(good);
  REQUIRE(t);
  CHECK(t->flags == 1);
  CHECK(has_trace(*t));
  CHECK(format_traceparent(*t) == good);
  const auto later = std::string("01") + std::string(good.substr(2)) + "-more";
  CHECK(parse_traceparent(later));
  for (const auto* bad : {
           "",
           "00",
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
       })
    CHECK_MESSAGE(!parse_traceparent(bad), bad);
  const auto mine = new_trace();
  CHECK(has_trace(mine));
  CHECK(child_of(mine).trace == mine.trace);
  CHECK(child_of(mine).parent != mine.parent);
  CHECK(parse_traceparent(format_traceparent(mine)));
}

TEST_CASE("a rendered response is sent as the plain one is") {
  auto r = http::reply(404, "text/plain", "gone\n");
  r.headers.emplace_back("X-A", "b");
  const auto once =
      http::reply(std::make_shared<const std::string>(http::render(r)));
  CHECK(http::status_of(once) == 404);
  const auto date = http::http_date(wall_time{milliseconds{784111777000}});
  CHECK(date == "Sun, 06 Nov 1994 08:49:37 GMT"); // RFC 9110, 5.6.7
  for (const bool head : {false, true})
    for (const auto* connection : {"", "Connection: close\r\n"}) {
      std::string a, b;
      const http::framing f{date, connection, head};
      CHECK(http::append_response(a, r, f).empty());
      CHECK(http::append_response(b, once, f).empty());
      CHECK(a == b);
      CHECK(a.ends_with(head ? "\r\n\r\n" : "gone\n"));
    }
  const auto large = http::reply(200, "", std::string(1 << 20, 'x'));
  std::string out;
  CHECK(http::append_response(out, large, {date, "", false}).size() == 1 << 20);
  CHECK(out.size() < 200);
}
