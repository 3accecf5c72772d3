// Names, instance JSON, publish forms and the words of long polling.
#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "protocols/nacos/codec/config_choice.hpp"
#include "protocols/nacos/codec/config_form.hpp"
#include "protocols/nacos/codec/heartbeat.hpp"
#include "protocols/nacos/codec/instance_json.hpp"
#include "protocols/nacos/codec/listening.hpp"
#include "protocols/nacos/codec/names.hpp"

using namespace muster;
using namespace muster::nacos;

namespace {

std::string checked(const checked_names& names) {
  return check_names(names, {}).value_or("fine");
}

naming::instance sample() {
  naming::instance i;
  i.ip = "1.1.1.1";
  i.port = 80;
  i.instance_id = "1.1.1.1#80#DEFAULT#g@@s";
  return i;
}

std::string text_of(const naming::instance& i, bool protect, bool valid) {
  std::string out;
  common::json_out json(out);
  write_instance(json, i, "g@@s", protect, valid);
  return out;
}

config_form good_form() {
  config_form form;
  form.key = {"public", "g", "d"};
  form.content = "x";
  return form;
}

std::string fault_of(const config_form& form) {
  const auto fine = check_form(form, {});
  return fine ? "fine"
              : (fine.error().late ? "late: " : "") + fine.error().text;
}

} // namespace

TEST_CASE("names: each rule of the parameter check has its text") {
  const std::string illegal =
      "' is illegal, illegal characters should not appear in the param.";
  struct row {
    checked_names names;
    std::string text;
  };
  const std::string d257(257, 'd'), g129(129, 'g'), n65(65, 'n'),
      s513(513, 's');
  const auto with = [](auto member, std::string_view value) {
    checked_names names;
    names.*member = value;
    return names;
  };
  using n = checked_names;
  for (
      const auto& [names, text] : std::initializer_list<row>{
          {{}, "fine"},
          {with(&n::space, " "), "fine"},
          {with(&n::space, "a/b"), "Param 'namespaceId/tenant" + illegal},
          {with(&n::space, n65),
           "Param 'namespaceId/tenant' is illegal, the param length should not "
           "exceed 64."},
          {with(&n::space_name, "a@b"), "Param 'namespaceShowName" + illegal},
          {with(&n::data_id, "a/b"), "Param 'dataId" + illegal},
          {with(&n::data_id, "中"), "Param 'dataId" + illegal},
          {with(&n::data_id, "a.b-c_d:e"), "fine"},
          {with(&n::data_id, d257), "Param 'dataId' is illegal, the param "
                                    "length should not exceed 256."},
          {with(&n::group, g129),
           "Param 'group' is illegal, the param length should not exceed 128."},
          {with(&n::group, "a b"), "Param 'group" + illegal},
          {with(&n::service, "a b"), "Param 'serviceName" + illegal},
          {with(&n::service, "a@@b"), "Param 'serviceName" + illegal},
          {with(&n::service, "@a"), "Param 'serviceName" + illegal},
          {with(&n::service, "服务"), "Param 'serviceName" + illegal},
          {with(&n::service, "größe/x"), "fine"},
          {with(&n::service, s513),
           "Param 'serviceName' is illegal, the param length should not exceed "
           "512."},
          {with(&n::clusters, "A,B"), "fine"},
          {with(&n::clusters, "A, B"), "Param 'cluster" + illegal},
          {with(&n::cluster, "a b"), "Param 'cluster" + illegal},
          {with(&n::ip, "host.example"), "fine"},
          {with(&n::ip, "1 1"), "Param 'ip" + illegal},
          {with(&n::port, "65535"), "fine"},
          {with(&n::port, "65536"),
           "Param 'port' is illegal, the value should be between 0 and 65535."},
          {with(&n::port, "x"),
           "Param 'port' is illegal, the value should be between 0 and "
           "65535."}}) {
    CAPTURE(text);
    CHECK(checked(names) == text);
  }
}

TEST_CASE("names: groups, blanks, lengths") {
  CHECK(grouped_name("g", "s") == "g@@s");
  CHECK(split_grouped("g@@s@@t").service == "s@@t");
  CHECK(split_grouped("s").group.empty());
  CHECK(space_or_public("  ") == "public");
  CHECK(space_or_public(" dev ") == "dev");
  CHECK(java_length("aé漢😀") == 5);
  CHECK(java_length("\xff\xff") == 2);
  CHECK(http_client_id("1.1.1.1", 80, true) == "1.1.1.1:80#true");
  CHECK(valid_config_name("größe.x"));
  CHECK_FALSE(valid_config_name("a b"));
  CHECK_FALSE(valid_config_name(""));
}

TEST_CASE("instance JSON: the members in both forms") {
  auto i = sample();
  CHECK(
      text_of(i, false, false)
      == R"({"instanceId":"1.1.1.1#80#DEFAULT#g@@s","ip":"1.1.1.1","port":80,)"
         R"("weight":1.0,"healthy":true,"enabled":true,"ephemeral":true,)"
         R"("clusterName":"DEFAULT","serviceName":"g@@s","metadata":{},)"
         R"("instanceHeartBeatInterval":5000,"instanceHeartBeatTimeOut":15000,)"
         R"("ipDeleteTimeout":30000,"instanceIdGenerator":"simple"})");
  i.healthy = false;
  i.weight = 2.5;
  i.metadata = {{"preserved.heart.beat.interval", "1000"},
                {"preserved.heart.beat.timeout", "x"}};
  const auto other = text_of(i, true, true);
  CHECK(other.contains(R"("weight":2.5,"healthy":true,"valid":true)"));
  CHECK(other.contains(R"("instanceHeartBeatInterval":1000)"));
  CHECK(other.contains(R"("instanceHeartBeatTimeOut":15000)"));
  CHECK_FALSE(other.contains("instanceIdGenerator"));
}

TEST_CASE("instance JSON: lists echo clusters and name services") {
  naming::service_view view;
  view.key = {"public", "g", "s"};
  view.last_ref_ms = 42;
  auto host = std::make_shared<naming::hosted_instance>();
  host->shown = host->registered =
      std::make_shared<const naming::instance>(sample());
  view.hosts.push_back(host);
  std::string grouped, bare, empty;
  common::json_out a(grouped), b(bare), c(empty);
  write_service_info(a, view, {"DEFAULT", false, false}, {true, false});
  write_service_info(b, view, {"NONE", false, false}, {false, false});
  write_empty_service_info(c, view.key.view(), "A", 7, {});
  const auto json_a = boost::json::parse(grouped);
  CHECK(json_a.at("name") == "g@@s");
  CHECK(json_a.at("clusters") == "DEFAULT");
  CHECK(json_a.at("hosts").as_array().size() == 1);
  CHECK(json_a.at("lastRefTime") == 42);
  CHECK(json_a.at("allIPs") == false);
  const auto json_b = boost::json::parse(bare);
  CHECK(json_b.at("name") == "s");
  CHECK(json_b.at("hosts").as_array().empty());
  const auto json_c = boost::json::parse(empty);
  CHECK(json_c.at("lastRefTime") == 7);
  CHECK(json_c.at("hosts").as_array().empty());
}

TEST_CASE("metadata: JSON, pairs, nothing and what is neither") {
  CHECK(parse_metadata("")->empty());
  CHECK(parse_metadata("None")->empty());
  CHECK(*parse_metadata("a=b,c=d=e")
        == naming::metadata_map{{"a", "b"}, {"c", "d=e"}});
  CHECK(*parse_metadata(R"({"a":"b","n":1,"t":true,"x":null})")
        == naming::metadata_map{{"a", "b"}, {"n", "1"}, {"t", "true"}});
  for (const auto* bad : {"xx", "{bad", "a=b,c", "[1]"}) {
    CAPTURE(bad);
    const auto parsed = parse_metadata(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message
          == "metadata format incorrect:" + std::string{bad});
  }
}

TEST_CASE("instances from JSON: defaults, other names, wrong types") {
  const auto parse = [](std::string_view text) {
    return parse_instance(boost::json::parse(text).as_object());
  };
  const auto full = parse(
      R"({"ip":"1.1.1.1","port":80,"cluster":"A","weight":2,"healthy":null,
        "metadata":{"a":"b"},"scheduled":false,"period":5000})");
  REQUIRE(full);
  CHECK(full->cluster == "A");
  CHECK(full->weight == 2.0);
  CHECK(full->healthy);
  CHECK(full->metadata.at("a") == "b");
  CHECK(parse(R"({"ip":"h","port":1,"clusterName":""})")->cluster == "DEFAULT");
  for (const auto* bad :
       {R"({"port":"80"})", R"({"port":65536})", R"({"port":1.5})",
        R"({"weight":"1"})", R"({"healthy":1})", R"({"metadata":[]})"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse(bad));
  }
}

TEST_CASE("registration refuses short time-outs and odd cluster names") {
  auto i = sample();
  CHECK_FALSE(check_instance(i));
  i.cluster = "a_b";
  CHECK(check_instance(i).value().contains("only 0-9a-zA-Z-."));
  i.cluster = "A";
  i.metadata = {{"preserved.heart.beat.timeout", "1000"}};
  CHECK(
      check_instance(i).value().starts_with("Instance 'heart beat interval'"));
  CHECK(heartbeat_times(i.metadata).timeout == milliseconds{1000});
  i.metadata = {{"k", std::string(1024, 'v')}};
  CHECK(check_metadata(i.metadata, {}).value().contains("1024"));
}

TEST_CASE("publish form: every refusal, and where it is found") {
  CHECK(fault_of(good_form()) == "fine");
  auto form = good_form();
  const auto fault = [&](auto member, std::string_view value) {
    form = good_form();
    form.*member = value;
    return fault_of(form);
  };
  using f = config_form;
  const std::string long_text(33, 'x'), tag17(17, 't'), desc129(129, 'd');
  CHECK(fault(&f::content, "  ") == "content is blank :   ");
  CHECK(fault(&f::tag, tag17) == "too long tag, over 16");
  CHECK(fault(&f::tag, "a b") == "invalid tag : a b");
  CHECK(fault(&f::description, desc129) == "late: too long desc, over 128");
  CHECK(fault(&f::usage, long_text) == "late: too long use, over 32");
  CHECK(fault(&f::effect, long_text) == "late: too long effect, over 32");
  form = good_form();
  form.tags = "a,b,c,d,e,f";
  CHECK(fault_of(form) == "late: too much config_tags, over 5");
  form = good_form();
  form.key.name = "";
  CHECK(fault_of(form) == "invalid dataId : ");
  form = good_form();
  form.key.group = "";
  CHECK(fault_of(form) == "invalid group : ");
  const std::string big(request_rules{}.content_length_max + 1, 'x');
  CHECK(fault(&f::content, big) == "invalid content, over 10485760");
  const std::string most(request_rules{}.content_length_max, 'x');
  CHECK(fault(&f::content, most) == "fine");
}

TEST_CASE("rules: what an operator sets about requests") {
  checked_names names;
  names.service = "a b";
  names.port = "70000";
  naming::metadata_map metadata{{"key", "value"}};
  request_rules rules;
  rules.metadata_length_max = 7;
  CHECK(check_names(names, rules));
  CHECK(check_metadata(metadata, rules).value().contains("exceed 7."));
  rules.metadata_length_max = 8;
  CHECK_FALSE(check_metadata(metadata, rules));
  rules.metadata_length_max = 7;
  rules.check_parameters = false;
  CHECK_FALSE(check_names(names, rules));
  CHECK_FALSE(check_metadata(metadata, rules));
  auto form = good_form();
  form.content = "123456";
  rules.content_length_max = 5;
  CHECK(check_form(form, rules).error().text == "invalid content, over 5");
  rules.content_length_max = 6;
  CHECK(check_form(form, rules));
  form.tag = "blue";
  rules.grays_max = 3;
  const auto tagged = publish_command(form, rules, wall_time{});
  CHECK(tagged->gray_publish().max_versions() == 3);
}

TEST_CASE("publish form: the command") {
  auto form = good_form();
  form.type = "YAML";
  form.app_name = "shop";
  form.cas_md5 = "m";
  const wall_time now{milliseconds{5}};
  const auto formal = publish_command(form, {}, now);
  REQUIRE(formal->has_config_publish());
  CHECK(formal->time_ms() == 5);
  CHECK(formal->config_publish().md5() == "9dd4e461268c8034f5c8564e155c67a6");
  CHECK(formal->config_publish().type() == "text");
  CHECK(formal->config_publish().app_name() == "shop");
  CHECK_FALSE(formal->config_publish().has_tags());
  CHECK(formal->config_publish().cas_md5() == "m");
  form.tag = "blue";
  const auto tagged = publish_command(form, {}, now);
  REQUIRE(tagged->has_gray_publish());
  CHECK(tagged->gray_publish().name() == "tag_blue");
  CHECK(tagged->gray_publish().expression() == "blue");
  CHECK(tagged->gray_publish().priority() == 2147483646);
  form.beta_ips = "1.1.1.1,2.2.2.2";
  const auto beta = publish_command(form, {}, now);
  CHECK(beta->gray_publish().name() == "beta");
  CHECK(beta->gray_publish().expression() == "1.1.1.1,2.2.2.2");
  CHECK(beta->gray_publish().priority() == 2147483647);
  CHECK(tag_gray_name("blue") == "tag_blue");
  CHECK(tag_gray_name("tag_blue") == "tag_blue");
}

TEST_CASE("choice: type and md5 of what a client is served") {
  config_snapshot snapshot;
  auto formal = std::make_shared<config_version>();
  formal->md5 = "f";
  formal->type = "json";
  snapshot.formal = formal;
  auto gray = std::make_shared<gray_version>();
  gray->rule_type = "beta";
  gray->expression = "1.1.1.1";
  gray->body.md5 = "b";
  gray->body.type = "text";
  snapshot.grays.push_back(gray);
  CHECK(md5_for(&snapshot, {"1.1.1.1", {}, {}}) == "b");
  CHECK(md5_for(&snapshot, {"2.2.2.2", {}, {}}) == "f");
  CHECK(md5_for(nullptr, {}).empty());
  const auto chosen = choose_version(&snapshot, {"1.1.1.1", {}, {}});
  CHECK(chosen.beta());
  CHECK_FALSE(chosen.tagged());
  CHECK(type_of(snapshot, chosen) == "json");
}

TEST_CASE("listening: items, doubles, and what is refused") {
  const auto words = [](std::string text) {
    for (auto& c : text)
      c = c == '|' ? '\2' : c == ';' ? '\1' : c;
    return text;
  };
  const auto three = words("a|g|m;b|g|;c|g|m|dev;");
  const auto items = parse_listening(three);
  REQUIRE(items);
  REQUIRE(items->size() == 3);
  CHECK(items->at(1).md5.empty());
  CHECK(items->at(2).tenant == "dev");
  CHECK(encode_changed(*items) == "a%02g%01b%02g%01c%02g%02dev%01");
  CHECK(plain_changed(*items) == "a:g;b:g;c:g;");
  const auto twice = words("a|g|1;a|g|2|public;");
  const auto last = parse_listening(twice);
  REQUIRE(last->size() == 1);
  CHECK(last->front().md5 == "2");
  CHECK(parse_listening(words("a|g|m"))->empty()); // the last one is not ended
  for (const auto* bad : {"", "  ", "a|g;", "a|g|m|t|x;", ";"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_listening(words(bad)));
  }
  std::string many;
  for (std::size_t i = 0; i < listened_max; ++i)
    many += words("d" + std::to_string(i) + "|g|m;");
  CHECK(parse_listening(many)->size() == listened_max);
  many += words("more|g|m;");
  CHECK_FALSE(parse_listening(many));
}
