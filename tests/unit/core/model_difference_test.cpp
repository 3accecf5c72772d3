// What watchers are told when a snapshot takes the place of commands.
#include "actors/core/model/difference.hpp"

#include "tests/unit/core/model_fixture.hpp"

using namespace muster;
using namespace muster::test;

namespace {

/// One line per event, in order.
std::vector<std::string> told(const state_reader& before,
                              const state_reader& after) {
  std::vector<std::string> lines;
  model::visit_differences(
      before, after, partition_id{3}, log_index{77}, [&](const auto& e) {
        CHECK(e.partition == partition_id{3});
        CHECK(e.index == log_index{77});
        if (const auto* c = std::get_if<model::config_changed>(&e.what)) {
          CHECK(c->content_changed);
          check_same(c->now, model::load_config(after, c->key));
          lines.push_back((c->created   ? "new "
                           : c->removed ? "gone "
                                        : "changed ")
                          + c->key.space + '/' + c->key.group + '/'
                          + c->key.data_id);
        } else if (const auto* n =
                       std::get_if<model::namespace_changed>(&e.what)) {
          lines.push_back((n->removed ? "gone space " : "space ") + n->id);
        } else {
          const auto& s = std::get<model::service_changed>(e.what);
          lines.push_back((s.removed ? "gone service " : "service ")
                          + s.key.service);
        }
      });
  return lines;
}

using lines = std::vector<std::string>;

struct two_states : model_fixture {
  map_state before;

  model::applied publish_at(const std::string& data_id,
                            const std::string& content) {
    auto command = publish(content);
    *command.mutable_config_publish()->mutable_key() = config(data_id);
    return apply(command);
  }

  static pb::Command instance(const std::string& service,
                              const std::string& ip) {
    pb::Command command;
    auto& put = *command.mutable_instance_put();
    put.mutable_key()->set_namespace_id("public");
    put.mutable_key()->set_group("g");
    put.mutable_key()->set_service(service);
    put.mutable_record()->set_ip(ip);
    put.mutable_record()->set_port(80);
    put.mutable_record()->set_cluster("DEFAULT");
    return command;
  }
};

} // namespace

TEST_CASE_FIXTURE(two_states, "difference: equal tables tell nothing") {
  publish_at("a", "1");
  apply(gray("tag_x", "2"));
  apply(instance("s", "1.1.1.1"));
  CHECK(told(state, state).empty());
  CHECK(told(before, before).empty());
}

TEST_CASE_FIXTURE(two_states, "difference: configs that came, changed, went") {
  publish_at("a", "stays");
  publish_at("b", "1");
  publish_at("c", "goes");
  before = state;
  publish_at("a", "other");
  publish_at("a", "stays");
  publish_at("b", "2");
  auto remove_c = remove();
  *remove_c.mutable_config_remove()->mutable_key() = config("c");
  apply(remove_c);
  publish_at("d", "comes");
  CHECK(told(before, state)
        == lines{"changed public/g/b", "gone public/g/c", "new public/g/d"});
  CHECK(told(state, before)
        == lines{"changed public/g/b", "new public/g/c", "gone public/g/d"});
}

TEST_CASE_FIXTURE(two_states, "difference: grays that came, changed, went") {
  apply(publish("1"));
  apply(gray("tag_x", "2"));
  const auto one_gray = state;
  apply(gray("tag_y", "3"));
  apply(gray("tag_z", "4"));
  CHECK(told(one_gray, state) == lines{"changed public/g/d"});
  CHECK(told(state, one_gray) == lines{"changed public/g/d"});
  before = state;
  apply(gray("tag_y", "33"));
  CHECK(told(before, state) == lines{"changed public/g/d"});
  before = state;
  now = 2'000;
  apply(gray("tag_y", "33"));
  CHECK(told(before, state).empty());
}

TEST_CASE_FIXTURE(two_states, "difference: more rows than are held at once") {
  constexpr int many = 1'000;
  for (int i = 0; i < many; ++i)
    publish_at(std::to_string(i), "old");
  before = state;
  for (int i = 0; i < many; i += 2)
    publish_at(std::to_string(i), "new");
  CHECK(told(before, state).size() == many / 2);
  CHECK(told(map_state{}, state).size() == many);
  CHECK(told(state, map_state{}).size() == many);
}

TEST_CASE_FIXTURE(two_states, "difference: namespaces and services") {
  pb::Command space;
  space.mutable_namespace_put()->set_id("n");
  space.mutable_namespace_put()->set_name("name");
  partition = partition_id{0};
  REQUIRE(apply(space).result.code == errc::ok);
  REQUIRE(apply(instance("s", "1.1.1.1")).result.code == errc::ok);
  const auto all = told(before, state);
  REQUIRE(all.size() >= 2);
  CHECK(all.front() == "space n");
  CHECK(all.back() == "service s");
  CHECK(told(state, before).front() == "gone space n");
  before = state;
  REQUIRE(apply(instance("s", "1.1.1.2")).result.code == errc::ok);
  REQUIRE(apply(instance("t", "1.1.1.2")).result.code == errc::ok);
  const auto more = told(before, state);
  CHECK(std::ranges::count(more, "service s") == 1);
  CHECK(std::ranges::count(more, "service t") >= 1);
}
