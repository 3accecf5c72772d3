// What may stand in a log.
#include <tuple>

#include "actors/core/model/check.hpp"
#include "tests/unit/core/model_fixture.hpp"

using namespace muster;
using namespace muster::test;

namespace {

void refused(const pb::Command& command, const std::string& message) {
  const auto checked = model::check_command(command);
  REQUIRE_FALSE(checked);
  CHECK(checked.error() == error{errc::invalid_argument, message});
}

} // namespace

TEST_CASE("check: texts that protobuf would not read again are refused") {
  struct row {
    const char* name;
    std::string text;
    bool good;
  };
  for (const auto& r : std::vector<row>{
           {"ascii", "abc", true},
           {"nul", std::string("a\0b", 3), true},
           {"two bytes", "\xC3\xA4", true},
           {"three bytes", "\xE4\xB8\xAD", true},
           {"four bytes", "\xF0\x9F\x90\xB6", true},
           {"last", "\xF4\x8F\xBF\xBF", true},
           {"before surrogates", "\xED\x9F\xBF", true},
           {"lone tail", "\x80", false},
           {"cut off", "a\xE4\xB8", false},
           {"overlong", "\xC0\xAF", false},
           {"overlong three", "\xE0\x80\xAF", false},
           {"overlong four", "\xF0\x80\x80\xAF", false},
           {"surrogate", "\xED\xA0\x80", false},
           {"too great", "\xF4\x90\x80\x80", false},
           {"never valid", "\xFF", false},
       }) {
    CAPTURE(r.name);
    auto command = model_fixture::publish("x");
    command.mutable_config_publish()->set_description(r.text);
    CHECK(model::check_command(command).has_value() == r.good);
    pb::Command again;
    // The reason for all this; protobuf's complaints go to stderr.
    CHECK(again.ParseFromString(command.SerializeAsString()) == r.good);
  }
}

TEST_CASE("check: names the field at fault, in maps too") {
  const std::string bad = "\xFF";
  auto publish = model_fixture::publish("x");
  publish.mutable_config_publish()->set_content(bad); // any bytes
  CHECK(model::check_command(publish));
  publish.mutable_config_publish()->set_source_ip(bad);
  refused(publish, "source_ip is not UTF-8");
  auto key = model_fixture::publish("x");
  key.mutable_config_publish()->mutable_key()->set_group(bad);
  refused(key, "group is not UTF-8");

  const auto instance = [] {
    pb::Command command;
    auto& c = *command.mutable_instance_put();
    c.mutable_key()->set_namespace_id("public");
    c.mutable_key()->set_group("g");
    c.mutable_key()->set_service("s");
    return command;
  };
  CHECK(model::check_command(instance()));
  for (const auto& [name, value, fault] :
       {std::tuple{bad, std::string("v"), "key is not UTF-8"},
        std::tuple{std::string("k"), bad, "value is not UTF-8"}}) {
    auto command = instance();
    (*command.mutable_instance_put()
          ->mutable_record()
          ->mutable_metadata())[name] = value;
    refused(command, fault);
  }
}

TEST_CASE("check: a command needs a body and its key") {
  refused({}, "body of the command is missing");
  auto publish = model_fixture::publish("x");
  publish.mutable_config_publish()->mutable_key()->clear_data_id();
  refused(publish, "dataId is missing");
  publish.mutable_config_publish()->mutable_key()->clear_group();
  refused(publish, "group is missing");
  publish.mutable_config_publish()->clear_key();
  refused(publish, "namespace is missing");
  refused(model_fixture::gray("", "x"), "name of the gray version is missing");
  pb::Command service;
  service.mutable_service_put()->mutable_key()->set_namespace_id("public");
  service.mutable_service_put()->mutable_key()->set_group("g");
  refused(service, "service is missing");
  pb::Command space;
  space.mutable_namespace_put();
  refused(space, "namespace is missing");
  pb::Command trim;
  trim.mutable_history_trim();
  CHECK(model::check_command(trim));
}
