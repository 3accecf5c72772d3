#pragma once

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

#include "actors/core/model/apply.hpp"
#include "actors/core/model/queries.hpp"
#include "actors/core/model/tables.hpp"
#include "tests/support/map_state.hpp"

/// A partition's tables and short ways to write commands; for the model_*
/// tests.
namespace muster::test {

struct model_fixture {
  map_state state;
  partition_id partition{3};
  std::uint64_t last = 0;
  std::uint64_t now = 1'000;

  model::applied apply(pb::Command command) {
    command.set_time_ms(now);
    return model::apply(command, partition, log_index{++last}, state);
  }

  static pb::ConfigKey config(const std::string& data_id = "d") {
    pb::ConfigKey key;
    key.set_namespace_id("public");
    key.set_group("g");
    key.set_data_id(data_id);
    return key;
  }

  static pb::Command publish(const std::string& content,
                             const std::string& cas = {}) {
    pb::Command command;
    auto& c = *command.mutable_config_publish();
    *c.mutable_key() = config();
    c.set_content(content);
    // Any text that is a function of the content serves as its digest here.
    c.set_md5("md5 of " + content);
    c.set_type("text");
    c.set_cas_md5(cas);
    return command;
  }

  static pb::Command remove() {
    pb::Command command;
    *command.mutable_config_remove()->mutable_key() = config();
    return command;
  }

  static pb::Command gray(const std::string& name, const std::string& content,
                          std::int32_t priority = 1) {
    pb::Command command;
    auto& c = *command.mutable_gray_publish();
    *c.mutable_key() = config();
    c.set_name(name);
    c.set_rule_type("tag");
    c.set_rule_version("1.0.0");
    c.set_expression("x\"y\n");
    c.set_priority(priority);
    c.set_content(content);
    c.set_md5("md5 of " + content);
    return command;
  }

  static pb::Command gray_remove(const std::string& name) {
    pb::Command command;
    *command.mutable_gray_remove()->mutable_key() = config();
    command.mutable_gray_remove()->set_name(name);
    return command;
  }

  config_snapshot_ptr load() const {
    return model::load_config(state, {"public", "g", "d"});
  }

  std::vector<pb::HistoryRecord> history(std::size_t limit = 1'000) const {
    return model::history(state, {"public", "g", "d"}, 0, limit);
  }
};

/// The only event, of the given kind; a copy, so that `done` may be a
/// temporary.
template <class What>
What only(const model::applied& done) {
  REQUIRE(done.events.size() == 1);
  REQUIRE(std::holds_alternative<What>(done.events[0].what));
  return std::get<What>(done.events[0].what);
}

/// Equality of all that a reader sees of a config.
inline void check_same(const config_snapshot_ptr& a,
                       const config_snapshot_ptr& b) {
  REQUIRE((a == nullptr) == (b == nullptr));
  if (!a)
    return;
  const auto same = [](const config_version& x, const config_version& y) {
    CHECK(x.id == y.id);
    CHECK(x.content == y.content);
    CHECK(x.md5 == y.md5);
    CHECK(x.type == y.type);
    CHECK(x.app_name == y.app_name);
    CHECK(x.encrypted_data_key == y.encrypted_data_key);
    CHECK(x.modify_time_ms == y.modify_time_ms);
  };
  CHECK(a->key == b->key);
  CHECK(a->revision == b->revision);
  REQUIRE((a->formal == nullptr) == (b->formal == nullptr));
  if (a->formal)
    same(*a->formal, *b->formal);
  REQUIRE(a->grays.size() == b->grays.size());
  for (std::size_t i = 0; i < a->grays.size(); ++i) {
    CHECK(a->grays[i]->name == b->grays[i]->name);
    CHECK(a->grays[i]->rule_type == b->grays[i]->rule_type);
    CHECK(a->grays[i]->expression == b->grays[i]->expression);
    CHECK(a->grays[i]->priority == b->grays[i]->priority);
    same(a->grays[i]->body, b->grays[i]->body);
  }
}

} // namespace muster::test
