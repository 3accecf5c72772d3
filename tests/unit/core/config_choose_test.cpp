// Which version of a config a reader is given.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "actors/core/config/choose.hpp"

using namespace muster;

namespace {

std::shared_ptr<const gray_version> gray(const char* name, const char* rule,
                                         const char* expression) {
  auto made = std::make_shared<gray_version>();
  made->name = name;
  made->rule_type = rule;
  made->expression = expression;
  made->body.content = name;
  return made;
}

config_snapshot_ptr snapshot_of(std::shared_ptr<const config_version> formal) {
  auto snapshot = std::make_shared<config_snapshot>();
  snapshot->formal = std::move(formal);
  snapshot->grays = {
      gray("beta", "beta", "1.1.1.1,1.1.1.2, 1.1.1.3,10.0.0.0/8"),
      gray("tag_blue", "tag", "blue"), gray("other", "percent", "1.1.1.9")};
  return snapshot;
}

std::string content(const config_snapshot_ptr& snapshot,
                    const config::labels& reader) {
  const auto chosen = config::choose(snapshot.get(), reader);
  CHECK((chosen.gray == nullptr || chosen.body == &chosen.gray->body));
  return chosen.body ? chosen.body->content : "nothing";
}

} // namespace

TEST_CASE("choose: rules, their order, asked and carried tags") {
  struct row {
    const char* name;
    config::labels reader;
    const char* with_formal;
    const char* grays_only;
  };
  const std::vector<row> rows{
      {"nothing known", {"", "", ""}, "formal", "nothing"},
      {"address listed", {"1.1.1.1", "", ""}, "beta", "beta"},
      {"later element", {"1.1.1.2", "", ""}, "beta", "beta"},
      {"elements are not trimmed", {"1.1.1.3", "", ""}, "formal", "nothing"},
      {"a part of an element", {"1.1.1", "", ""}, "formal", "nothing"},
      {"no networks", {"10.1.1.1", "", ""}, "formal", "nothing"},
      {"carried tag", {"", "", "blue"}, "tag_blue", "tag_blue"},
      {"carried tag unknown", {"", "", "red"}, "formal", "nothing"},
      {"tags are case-sensitive", {"", "", "Blue"}, "formal", "nothing"},
      {"asked tag", {"", "blue", ""}, "tag_blue", "tag_blue"},
      {"asked tag unknown", {"", "red", ""}, "nothing", "nothing"},
      {"asked wins over carried", {"", "red", "blue"}, "nothing", "nothing"},
      {"address before tag", {"1.1.1.1", "blue", ""}, "beta", "beta"},
      {"address, asked tag unknown", {"1.1.1.1", "red", ""}, "beta", "beta"},
      {"rule of an unknown type",
       {"1.1.1.9", "", "1.1.1.9"},
       "formal",
       "nothing"},
  };
  auto formal = std::make_shared<config_version>();
  formal->content = "formal";
  const auto snapshot = snapshot_of(formal);
  const auto bare = snapshot_of(nullptr);
  for (const auto& r : rows) {
    CAPTURE(r.name);
    CHECK(content(snapshot, r.reader) == r.with_formal);
    CHECK(content(bare, r.reader) == r.grays_only);
    CHECK(content(nullptr, r.reader) == "nothing");
  }
}
