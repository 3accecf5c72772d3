// Config groups: registering, telling, telling very many, going away.
#include <doctest/doctest.h>

#include "tests/unit/runtime/naming_harness.hpp"

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

namespace {

struct started : naming_node {
  explicit started(const runtime::naming_settings& settings = {})
    : naming_node(settings) {
    start();
  }

  api::config_group_actor open_group() {
    const auto group = ask<api::config_group_actor>(
      namespaces, api::open_config_group{{}, "public", "g"});
    REQUIRE(group);
    return *group;
  }

  void change(const std::string& data_id, bool content = true) {
    model::config_changed c;
    c.key = {"public", "g", data_id};
    c.content_changed = content;
    runtime::route_event(context, {partition_id{1}, log_index{++index}, c});
    run();
  }

  std::uint64_t index = 100;
};

} // namespace

TEST_CASE("config group: watchers of a changed config are told, no others") {
  started n;
  told a;
  told b;
  const auto to_a = n.watcher(a);
  const auto to_b = n.watcher(b);
  const auto group = n.open_group();
  CHECK(n.open_group() == group);
  REQUIRE(n.ask<api::done>(group, api::watch_configs{{to_a, 1}, {"x", "y"}}));
  REQUIRE(n.ask<api::done>(group, api::watch_configs{{to_a, 2}, {"x"}}));
  REQUIRE(n.ask<api::done>(group, api::watch_configs{{to_b, 9}, {"y"}}));

  n.change("x", false);
  CHECK(a.configs.empty());
  n.change("x");
  REQUIRE(a.configs.size() == 1);
  CHECK(a.configs[0].tokens == std::vector<std::uint64_t>{1, 2});
  CHECK(a.configs[0].change.key.data_id == "x");
  CHECK(b.configs.empty());
  n.change("y");
  CHECK(a.configs.size() == 2);
  CHECK(b.configs.size() == 1);

  REQUIRE(n.ask<api::done>(group, api::unwatch_configs{{to_a, 1}, {"x"}}));
  REQUIRE(n.ask<api::done>(group, api::unwatch_configs{{to_b, 9}, {}}));
  n.change("x");
  n.change("y");
  CHECK(a.configs.size() == 4);
  CHECK(a.configs[2].tokens == std::vector<std::uint64_t>{2});
  CHECK(b.configs.size() == 1);
}

TEST_CASE("config group: 100,000 watchers are told in chunks") {
  started n;
  std::size_t told_count = 0;
  const auto group = n.open_group();
  const std::vector<std::string> ids{"x"};
  constexpr std::size_t watchers = 100'000;
  for (std::size_t i = 0; i < watchers; ++i) {
    n.extra.push_back(
      n.system.spawn([&told_count](caf::event_based_actor*) -> caf::behavior {
        return {[&](const api::config_fired&) { ++told_count; }};
      }));
    caf::anon_send(group, api::watch_configs{{n.extra.back(), i}, ids});
  }
  n.run();
  auto& scheduler = n.scheduler();
  model::config_changed c;
  c.key = {"public", "g", "x"};
  c.content_changed = true;
  runtime::route_event(n.context, {partition_id{1}, log_index{100}, c});
  // One run of the group sends no more than a chunk for each message it takes.
  REQUIRE(scheduler.has_job());
  scheduler.run_once();
  CHECK(scheduler.jobs.size() <= n.context.naming.fan_out_chunk + 1);
  CHECK(scheduler.jobs.size() >= n.context.naming.fan_out_chunk);
  n.run();
  CHECK(told_count == watchers);
}

TEST_CASE("config group: too many watches are refused") {
  runtime::naming_settings few;
  few.watches_max = 3;
  started n{few};
  told a;
  const auto who = n.watcher(a);
  const auto group = n.open_group();
  REQUIRE(n.ask<api::done>(group, api::watch_configs{{who, 1}, {"x", "y"}}));
  const auto refused
    = n.ask<api::done>(group, api::watch_configs{{who, 1}, {"z", "w"}});
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::resource_exhausted);
}

TEST_CASE("config group: it goes when nobody watches, late watches move on") {
  started n;
  told a;
  const auto who = n.watcher(a);
  const auto group = n.open_group();
  REQUIRE(n.ask<api::done>(group, api::watch_configs{{who, 1}, {"x"}}));
  n.pass(300s);
  CHECK(n.context.owners.group("public", "g") == group);
  n.kill(who);
  n.pass(62s);
  CHECK(!n.context.owners.group("public", "g"));

  told b;
  const auto late = n.watcher(b);
  REQUIRE(n.ask<api::done>(group, api::watch_configs{{late, 1}, {"x"}}));
  CHECK(n.context.owners.group("public", "g"));
  CHECK(n.context.owners.group("public", "g") != group);
  n.change("x");
  CHECK(b.configs.size() == 1);
}

TEST_CASE("config group: one that dies is gone from the directory at once") {
  started n;
  const auto group = n.open_group();
  n.kill(group);
  n.run();
  CHECK(!n.context.owners.group("public", "g"));
  CHECK(n.open_group() != group);
}
