// The pure parts: envelope, patterns, synchronisations, pushes, table.
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include <boost/json.hpp>

#include "protocols/nacos/grpc/fuzzy_limits.hpp"
#include "protocols/nacos/grpc/fuzzy_sync.hpp"
#include "protocols/nacos/grpc/handlers.hpp"
#include "protocols/nacos/grpc/message_table.hpp"
#include "protocols/nacos/grpc/pattern.hpp"
#include "protocols/nacos/grpc/payload.hpp"
#include "protocols/nacos/grpc/push.hpp"
#include "protocols/nacos/grpc/registry.hpp"
#include "protocols/nacos/grpc/unary.hpp"

using namespace muster;
using namespace muster::nacos::remote;

TEST_CASE("an encoded envelope reads back, whatever its sizes") {
  for (const std::size_t size : {0, 1, 100, 127, 128, 16'383, 16'384, 300'000}) {
    const std::string body(size, 'b');
    const auto bytes = encode_envelope("ConfigQueryRequest", body, "10.0.0.1");
    const auto read = parse_envelope(bytes);
    REQUIRE(read);
    CHECK(read->type == "ConfigQueryRequest");
    CHECK(read->client_ip == "10.0.0.1");
    CHECK(read->body == body);
    CHECK(read->header("app").empty());
  }
}

TEST_CASE("all ways to make a payload give the same bytes") {
  const auto whole = encode_envelope("T", "abcdef", "1.2.3.4");
  const auto text = [](const ::grpc::ByteBuffer& buffer) {
    return std::string{message_bytes(buffer).view()};
  };
  const auto middle = std::make_shared<const std::string>("cd");
  CHECK(text(make_payload("T", "abcdef", "1.2.3.4")) == whole);
  CHECK(text(make_payload("T", "ab", middle, "ef", "1.2.3.4")) == whole);
  CHECK(text(share(std::make_shared<const std::string>(whole))) == whole);
}

TEST_CASE("headers are found without regard to letter case, unknown fields skipped") {
  using namespace std::string_literals;
  const auto entry = "\x0A\x03" "App" "\x12\x02" "me"s;
  const auto metadata = "\x08\x05"s + "\x1A\x01T"s + "\x3A"
                        + static_cast<char>(entry.size()) + entry;
  const auto bytes = "\x12"s + static_cast<char>(metadata.size()) + metadata
                     + "\x1A\x05\x0A\x01u\x12\x00"s + "\x6D" "1234"s;
  const auto read = parse_envelope(bytes);
  REQUIRE(read);
  CHECK(read->type == "T");
  CHECK(read->header("app") == "me");
  CHECK(read->body.empty());
}

TEST_CASE("bytes that are no envelope are refused") {
  using namespace std::string_literals;
  const std::string rows[] = {
    "x"s,
    "\x12"s,                 // length missing
    "\x12\x05" "ab"s,        // shorter than it says
    "\x10\x01"s,             // metadata as a number
    "\x12\x02\x18\x01"s,     // type as a number
    "\x1A\x02\x10\x01"s,     // value as a number
    "\x13\x00"s,             // a group
    "\x00\x00"s,             // field 0
    std::string(11, '\xFF'), // endless varint
    "\x12\x04\x3A\x02\x08\x01"s, // a header's key as a number
  };
  for (const auto& row : rows) {
    CAPTURE(row);
    CHECK_FALSE(parse_envelope(row));
  }
  const auto empty = parse_envelope("");
  REQUIRE(empty);
  CHECK(empty->type.empty());
}

TEST_CASE("escapes count as what they stand for") {
  CHECK(unescaped_size("") == 0);
  CHECK(unescaped_size("abc") == 3);
  CHECK(unescaped_size(R"(a\"b\\)") == 4);
  CHECK(unescaped_size(R"(\u00e9)") == 3);
  CHECK(unescaped_size("\\") == 1);
}

TEST_CASE("peers become addresses") {
  CHECK(parse_peer("ipv4:1.2.3.4:80").ip == "1.2.3.4");
  CHECK(parse_peer("ipv4:1.2.3.4:80").port == "80");
  CHECK(parse_peer("ipv6:%5B::1%5D:9").ip == "::1");
  CHECK(parse_peer("ipv6:%5B::1%5D:9").port == "9");
  CHECK(parse_peer("odd").ip == "odd");
}

TEST_CASE("ids are promised to transports and bounded") {
  registry all;
  const wall_time now{milliseconds{17}};
  const auto id = all.id_of("ipv4:1.2.3.4:80", now);
  CHECK(id == "17_1.2.3.4_80");
  CHECK(all.id_of("ipv4:1.2.3.4:80", wall_time{milliseconds{99}}) == id);
  for (std::size_t i = 0; i < 2 * registry::promised_max; ++i)
    all.id_of("ipv4:1.1.1.1:" + std::to_string(i), now);
  // Forgotten, so that the map does not grow: it gets another one.
  CHECK(all.id_of("ipv4:1.2.3.4:80", wall_time{milliseconds{99}}) != id);
  CHECK(all.size() == 0);
}

TEST_CASE("fuzzy patterns") {
  struct row {
    const char* pattern;
    const char* space;
    const char* group;
    const char* name;
    bool matches;
  };
  const row rows[] = {
    {"public>>G>>a*", "public", "G", "abc", true},
    {"public>>G>>a*", "public", "H", "abc", false},
    {">>*>>*", "public", "any", "thing", true},
    {"ns>>*G>>*b*", "ns", "xG", "abc", true},
    {"ns>>G>>a*c", "ns", "G", "abc", false},
    {"no arrows", "public", "no arrows", "no arrows", false},
    {"a>>b>>c>>d", "public", "b", "c", false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.pattern);
    const auto pattern = parse_pattern(r.pattern);
    CHECK(pattern.space == r.space);
    CHECK(pattern.names.matches(r.group, r.name) == r.matches);
  }
}

TEST_CASE("group keys read back, escapes included") {
  const config_key config{"ns", "g+%2B", "d%+"};
  CHECK(config_group_key(config) == "d%25%2B+g%2B%252B+ns");
  CHECK(parse_config_group_key(config_group_key(config)) == config);
  CHECK_FALSE(parse_config_group_key("a+b"));
  CHECK(parse_config_group_key("a+b+")->space == "public");
  const service_key service{"ns", "g", "s"};
  CHECK(service_group_key(service) == "ns@@g@@s");
  CHECK(parse_service_group_key("ns@@g@@s") == service);
  CHECK_FALSE(parse_service_group_key("g@@s"));
}

TEST_CASE("a synchronisation: removals first, in batches, closed if initial") {
  const name_set present{{"G", "a"}, {"G", "b"}, {"G", "c"}};
  const name_set known{{"G", "b"}, {"G", "gone"}};
  fuzzy_sync sync{api::name_kind::config, "ns", "p", true, false};
  const auto plan = plan_sync(sync, present, known, 2);
  REQUIRE(plan.size() == 3);
  CHECK(plan[0]->changes.size() == 2);
  CHECK(plan[0]->changes[0].name == "gone");
  CHECK_FALSE(plan[0]->changes[0].added);
  CHECK(plan[0]->changes[1].name == "a");
  CHECK(plan[1]->changes[0].name == "c");
  CHECK(plan[1]->number == 2);
  CHECK(plan[1]->total == 2);
  CHECK(plan[2]->finish);

  sync.over_limit = true;
  CHECK(plan_sync(sync, present, known, 20)[0]->changes[0].name == "a");
  sync.initial = false;
  CHECK(plan_sync(sync, present, present, 20).empty());
}

TEST_CASE("patterns are limited for the whole server, not per client") {
  fuzzy_limits limits({3, 500});
  const int a = 0;
  const int b = 0;
  const auto kind = api::name_kind::config;
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(limits.hold(&a, kind, std::to_string(i)));
  CHECK_FALSE(limits.hold(&a, kind, "one more"));
  CHECK(limits.hold(&b, kind, "0")); // no new pattern
  CHECK(limits.hold(&a, api::name_kind::service, "one more"));
  limits.release_all(&a);
  CHECK(limits.hold(&b, kind, "one more"));
  limits.release(&b, kind, "one more");
  CHECK(limits.hold(&b, kind, "another"));
  for (std::size_t i = 0; i < 20; ++i)
    CHECK(limits.hold(&b, api::name_kind::service, std::to_string(i)));
  CHECK_FALSE(limits.hold(&b, api::name_kind::service, "over"));
}

namespace {

boost::json::object body_of(const ::grpc::ByteBuffer& buffer, std::string type) {
  const message_bytes bytes(buffer);
  const auto wire = parse_envelope(bytes.view());
  REQUIRE(wire);
  CHECK(wire->type == type);
  CHECK(wire->client_ip == "9.9.9.9");
  auto body = boost::json::parse(wire->body).as_object();
  CHECK(body.at("headers").as_object().empty());
  return body;
}

} // namespace

TEST_CASE("pushes have the members strict clients want") {
  using what = api::push_item::what;
  const push_context context{"9.9.9.9", "id", false};
  api::push_item item;
  item.config = {"public", "G", "d\"q"};

  SUBCASE("config") {
    item.kind = what::config;
    auto body = body_of(render_push(item, 7, context),
                        "ConfigChangeNotifyRequest");
    CHECK(body.at("requestId") == "7");
    CHECK(body.at("dataId") == "d\"q");
    CHECK(body.at("tenant") == "public");
    body = body_of(render_push(item, 7, {"9.9.9.9", "id", true}),
                   "ConfigChangeNotifyRequest");
    CHECK_FALSE(body.contains("tenant"));
  }
  SUBCASE("service") {
    item.kind = what::service;
    auto view = std::make_shared<naming::service_view>();
    view->key = {"public", "G", "s"};
    item.service = view;
    item.clusters = "c1";
    const auto body = body_of(render_push(item, 8, context),
                              "NotifySubscriberRequest");
    const auto& info = body.at("serviceInfo").as_object();
    CHECK(info.at("name") == "s");
    CHECK(info.at("clusters") == "c1");
    CHECK(info.at("hosts").as_array().empty());
  }
  SUBCASE("names") {
    item.kind = what::name;
    item.name = {{}, api::name_kind::config, "ns", "G", "d", true};
    auto body = body_of(render_push(item, 9, context),
                        "ConfigFuzzyWatchChangeNotifyRequest");
    CHECK(body.at("groupKey") == "d+G+ns");
    CHECK(body.at("changeType") == "CONFIG_CHANGED");
    item.name.kind = api::name_kind::service;
    item.name.added = false;
    body = body_of(render_push(item, 9, context),
                   "NamingFuzzyWatchChangeNotifyRequest");
    CHECK(body.at("serviceKey") == "ns@@G@@d");
    CHECK(body.at("changedType") == "DELETE_SERVICE");
  }
  SUBCASE("the closing message differs by kind") {
    item.kind = what::names;
    auto batch = std::make_shared<api::name_batch>();
    batch->finish = true;
    batch->number = batch->total = 1;
    item.names = batch;
    auto body = body_of(render_push(item, 1, context),
                        "ConfigFuzzyWatchSyncRequest");
    CHECK_FALSE(body.contains("contexts"));
    CHECK(body.at("totalBatch") == 0);
    batch->kind = api::name_kind::service;
    body = body_of(render_push(item, 1, context), "NamingFuzzyWatchSyncRequest");
    CHECK(body.at("contexts").as_array().empty());
    CHECK(body.at("totalBatch") == 1);
  }
  SUBCASE("reset") {
    item.kind = what::reset;
    auto body = body_of(render_push(item, 1, context), "ConnectResetRequest");
    CHECK_FALSE(body.contains("serverIp"));
    item.text = "10.1.1.1:8848";
    body = body_of(render_push(item, 1, context), "ConnectResetRequest");
    CHECK(body.at("serverPort") == "8848");
    CHECK(body.at("connectionId") == "id");
  }
  SUBCASE("probe") {
    body_of(render_push(item, 1, context), "ClientDetectionRequest");
  }
}

TEST_CASE("every row of the message table is reachable and complete") {
  for (const auto& row : message_types()) {
    CAPTURE(row.name);
    CHECK(find_message_type(row.name) == &row);
    CHECK(row.answer.ends_with("Response"));
    if (row.from == source::cluster)
      CHECK((!row.quick && !row.slow));
    else
      CHECK((row.quick || row.slow));
    if (row.from == source::any && row.quick != &check_health)
      CHECK(row.needs.what != common::action::none);
  }
  CHECK_FALSE(find_message_type("configqueryrequest"));
  CHECK_FALSE(find_message_type(""));
}
