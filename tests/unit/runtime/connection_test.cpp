// Client streams: what they publish and watch, what they are pushed, how they
// come through the death of the actors they lean on, and how they end.
#include <doctest/doctest.h>

#include "tests/unit/runtime/naming_harness.hpp"

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;
using texts = std::vector<std::string>;
using what = api::push_item::what;

namespace {

const service_key key{"public", "g", "s"};

struct fixture : naming_node {
  explicit fixture(const runtime::naming_settings& settings = {})
    : naming_node(settings) {
    start();
    conn = connect("conn", sink);
    caf::anon_send(conn, api::client_active{});
    run();
  }

  void change(const config_key& k) {
    model::config_changed c;
    c.key = k;
    c.content_changed = true;
    runtime::route_event(context, {partition_id{1}, log_index{++index}, c});
    run();
  }

  void name(api::name_kind kind, const std::string& group,
            const std::string& data_id) {
    REQUIRE(kind == api::name_kind::config);
    model::config_changed c;
    c.key = {"public", group, data_id};
    c.created = true;
    runtime::route_event(context, {partition_id{1}, log_index{++index}, c});
    run();
  }

  /// Answers push number `n`.
  void answer(std::size_t n, bool ok = true) {
    REQUIRE(sink->pushes.size() > n);
    caf::anon_send(conn, api::push_answered{sink->pushes[n].id, ok});
    run();
  }

  const api::push_item& pushed(std::size_t n) {
    REQUIRE(sink->pushes.size() > n);
    return sink->pushes[n].item;
  }

  result<api::done> publish(std::vector<naming::instance_ptr> instances) {
    return ask<api::done>(conn,
                          api::client_publish{{}, key, std::move(instances)});
  }

  result<naming::service_view_ptr> subscribe(const std::string& clusters = {}) {
    return ask<naming::service_view_ptr>(
      conn, api::client_subscribe{{}, key, clusters});
  }

  result<api::done> listen(std::vector<config_key> add,
                           std::vector<config_key> remove = {}) {
    return ask<api::done>(
      conn, api::client_listen{{}, std::move(add), std::move(remove)});
  }

  texts shown() {
    const auto slot = services.find(key.view());
    return slot ? ips(slot->view()) : texts{};
  }

  std::uint64_t index = 100;
  std::shared_ptr<recording_sink> sink = std::make_shared<recording_sink>();
  api::connection_actor conn;
};

} // namespace

TEST_CASE("connection: publishes, replaces, retracts, and takes all with it") {
  fixture f;
  REQUIRE(f.publish({at("1.1.1.1"), at("1.1.1.2")}));
  CHECK(f.shown() == texts{"1.1.1.1", "1.1.1.2"});
  REQUIRE(f.publish({at("1.1.1.3")}));
  CHECK(f.shown() == texts{"1.1.1.3"});
  REQUIRE(f.ask<api::done>(f.conn, api::client_retract{{}, key}));
  CHECK(f.shown().empty());
  REQUIRE(f.ask<api::done>(f.conn,
                           api::client_retract{{}, {"public", "g", "other"}}));
  REQUIRE(f.publish({at("1.1.1.4")}));
  caf::anon_send(f.conn, api::stream_closed{});
  f.run();
  CHECK(f.shown().empty());
  CHECK(!f.sink->closed);
}

TEST_CASE("connection: what the service refuses is not told its successor") {
  fixture f;
  REQUIRE(f.publish({at("1.1.1.1")}));
  auto bad = std::make_shared<naming::instance>(*at("1.1.1.2"));
  bad->metadata = {{"preserved.heart.beat.interval", "9000"},
                   {"preserved.heart.beat.timeout", "1000"}};
  const auto refused = f.publish({bad});
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::invalid_argument);
  CHECK(f.shown() == texts{"1.1.1.1"});
  f.kill(f.services.find(key.view())->actor());
  f.run();
  f.pass(16s); // orphans that nobody claims are gone by then
  CHECK(f.shown() == texts{"1.1.1.1"});
}

TEST_CASE("connection: requests sent together keep their order") {
  fixture f;
  // The service does not exist yet: the first has to wait for it.
  for (int i = 0; i < 3; ++i)
    caf::anon_send(f.conn, api::client_publish{
                             {}, key, {at("1.1.1." + std::to_string(i))}});
  caf::anon_send(f.conn, api::client_retract{{}, key});
  caf::anon_send(f.conn, api::client_publish{{}, key, {at("1.1.1.9")}});
  f.run();
  CHECK(f.shown() == texts{"1.1.1.9"});
}

TEST_CASE("connection: subscriptions are pushed, acknowledged, repeated") {
  fixture f;
  const auto first = f.subscribe("A");
  REQUIRE(first);
  CHECK((*first)->hosts.empty());
  const auto slot = f.services.find(key.view());
  REQUIRE(f.ask<api::done>(slot->actor(), publish("1.1.1.1")));
  f.pass(50ms);
  REQUIRE(f.sink->pushes.size() == 1);
  CHECK(f.pushed(0).kind == what::service);
  CHECK(f.pushed(0).clusters == "A");
  CHECK(f.pushed(0).service == slot->view());
  // Unanswered: again after 5 s and one more.
  f.pass(5900ms);
  CHECK(f.sink->pushes.size() == 1);
  f.pass(100ms);
  REQUIRE(f.sink->pushes.size() == 2);
  // Refused: again after a second, with what is then the newest.
  f.answer(1, false);
  f.pass(500ms);
  REQUIRE(f.ask<api::done>(slot->actor(), publish("1.1.1.2")));
  f.pass(50ms);
  REQUIRE(f.sink->pushes.size() == 3);
  CHECK(ips(f.pushed(2).service) == texts{"1.1.1.1", "1.1.1.2"});
  f.answer(2);
  f.pass(5s);
  CHECK(f.sink->pushes.size() == 3);

  // Another filter replaces the first.
  REQUIRE(f.subscribe("B"));
  REQUIRE(f.ask<api::done>(slot->actor(), publish("1.1.1.3")));
  f.pass(50ms);
  CHECK(f.pushed(3).clusters == "B");
  f.answer(3);
  REQUIRE(f.ask<api::done>(f.conn, api::client_unsubscribe{{}, key}));
  REQUIRE(f.ask<api::done>(slot->actor(), publish("1.1.1.4")));
  f.pass(1s);
  CHECK(f.sink->pushes.size() == 4);
  CHECK(f.ask<std::size_t>(slot->actor(), api::count_watchers{}) == 0u);
}

TEST_CASE("connection: listens are pushed without content, until removed") {
  fixture f;
  const config_key x{"public", "g", "x"};
  const config_key y{"public", "h", "y"};
  REQUIRE(f.listen({x, y}));
  f.change(x);
  // Held until the client has read the answer to its listen.
  CHECK(f.sink->pushes.empty());
  f.pass(30ms);
  REQUIRE(f.sink->pushes.size() == 1);
  CHECK(f.pushed(0).kind == what::config);
  CHECK(f.pushed(0).config == x);
  f.answer(0);
  REQUIRE(f.listen({}, {x, {"public", "nobody", "z"}}));
  f.change(x);
  f.change(y);
  f.pass(30ms);
  REQUIRE(f.sink->pushes.size() == 2);
  CHECK(f.pushed(1).config == y);
}

TEST_CASE("connection: unanswered changes of configs cut off, as many as set") {
  runtime::naming_settings settings;
  settings.config_push_tries_max = 2;
  settings.idle_before_probe = 1h;
  fixture f(settings);
  const config_key x{"public", "g", "x"};
  REQUIRE(f.listen({x}));
  f.change(x);
  f.pass(30ms);
  REQUIRE(f.sink->pushes.size() == 1);
  f.pass(6s); // 3 s without an answer, 2 s until the next try
  REQUIRE(f.sink->pushes.size() == 2);
  CHECK(!f.sink->closed);
  f.pass(4s);
  CHECK(f.sink->closed);
  CHECK(f.sink->pushes.size() == 2);
}

TEST_CASE("connection: a first subscription is followed by a push of its own") {
  fixture f;
  REQUIRE(f.subscribe("A"));
  f.pass(1s);
  REQUIRE(f.sink->pushes.size() == 1);
  CHECK(f.pushed(0).kind == what::service);
  f.answer(0);
  // Another filter is not a first subscription.
  REQUIRE(f.subscribe("B"));
  f.pass(2s);
  CHECK(f.sink->pushes.size() == 1);
}

TEST_CASE("connection: limits are refused, nothing changes") {
  runtime::naming_settings few;
  few.per_connection_max = 1;
  few.listens_per_connection_max = 1;
  fixture f{few};
  REQUIRE(f.publish({at("1.1.1.1")}));
  const service_key other{"public", "g", "other"};
  CHECK(f.ask<api::done>(f.conn, api::client_publish{{}, other, {at("1.1.1.1")}})
          .error()
          .code
        == errc::resource_exhausted);
  CHECK(f.ask<naming::service_view_ptr>(f.conn,
                                        api::client_subscribe{{}, other, {}})
          .error()
          .code
        == errc::resource_exhausted);
  CHECK(f.subscribe());
  CHECK(f.listen({{"public", "g", "x"}, {"public", "g", "y"}}).error().code
        == errc::resource_exhausted);
  CHECK(f.listen({{"public", "g", "x"}}));
}

TEST_CASE("connection: refusals of the service reach the client") {
  fixture f;
  auto bad = *at("1.1.1.1");
  bad.metadata["preserved.heart.beat.interval"] = "60000";
  CHECK(f.publish({std::make_shared<const naming::instance>(bad)}).error().code
        == errc::invalid_argument);
}

TEST_CASE("connection: the successor of a service learns everything again") {
  fixture f;
  REQUIRE(f.publish({at("1.1.1.1")}));
  REQUIRE(f.subscribe());
  const auto slot = f.services.find(key.view());
  for (int i = 0; i < 3; ++i) {
    f.kill(slot->actor());
    f.run();
    f.pass(1s);
  }
  CHECK(f.shown() == texts{"1.1.1.1"});
  CHECK(f.ask<std::size_t>(slot->actor(), api::count_watchers{}) == 1u);
  const auto before = f.sink->pushes.size();
  REQUIRE(f.ask<api::done>(slot->actor(), publish("1.1.1.2")));
  f.pass(50ms);
  CHECK(f.sink->pushes.size() == before + 1);
  // It is the owner again: its end retracts.
  f.pass(16s);
  caf::anon_send(f.conn, api::stream_closed{});
  f.run();
  CHECK(f.shown().size() <= 1);
  CHECK(f.shown() != texts{"1.1.1.1"});
}

TEST_CASE("connection: the whole registry dies and comes back") {
  fixture f;
  REQUIRE(f.publish({at("1.1.1.1")}));
  REQUIRE(f.listen({{"public", "g", "x"}}));
  f.kill(f.namespaces);
  f.namespaces = api::namespaces_actor{};
  f.run();
  f.pass(500ms);
  CHECK(f.publish({at("1.1.1.2")}).error().code == errc::unavailable);
  f.namespaces = runtime::spawn_namespaces(f.system, f.context);
  f.run();
  f.pass(6s);
  // Sent to an actor that had died: its successor is told.
  CHECK(f.shown() == texts{"1.1.1.2"});
  CHECK(f.publish({at("1.1.1.3")}));
  f.pass(16s);
  CHECK(f.shown() == texts{"1.1.1.3"});
  // Whatever changed meanwhile: told once, then as before.
  REQUIRE(!f.sink->pushes.empty());
  const auto before = f.sink->pushes.size();
  f.answer(before - 1);
  f.change({"public", "g", "x"});
  CHECK(f.sink->pushes.size() == before + 1);
}

TEST_CASE("connection: a config group's successor is watched, names are pushed") {
  fixture f;
  const config_key x{"public", "g", "x"};
  REQUIRE(f.listen({x}));
  f.kill(f.context.owners.group("public", "g"));
  f.run();
  f.pass(1s);
  REQUIRE(f.sink->pushes.size() == 1);
  CHECK(f.pushed(0).config == x);
  f.answer(0);
  f.change(x);
  CHECK(f.sink->pushes.size() == 2);
}

TEST_CASE("connection: fuzzy watches and their synchronisation") {
  fixture f;
  api::client_watch_names watch;
  watch.space = "public";
  watch.pattern = "a*";
  watch.accepts = [](std::string_view, std::string_view n) {
    return n.starts_with("a");
  };
  REQUIRE(f.ask<api::done>(f.conn, watch));
  REQUIRE(f.ask<api::done>(f.conn, watch));
  f.name(api::name_kind::config, "g", "b1");
  CHECK(f.sink->pushes.empty());
  f.name(api::name_kind::config, "g", "a1");
  REQUIRE(f.sink->pushes.size() == 1);
  CHECK(f.pushed(0).kind == what::name);
  CHECK(f.pushed(0).text == "a*");
  CHECK(f.pushed(0).name.name == "a1");
  CHECK(f.pushed(0).name.added);
  f.answer(0);

  const auto batch = [](std::size_t number, bool finish) {
    auto b = std::make_shared<api::name_batch>();
    b->space = "public";
    b->pattern = "a*";
    b->initial = true;
    b->finish = finish;
    b->number = number;
    return b;
  };
  caf::anon_send(f.conn, api::client_sync_names{
                           {batch(1, false), batch(2, false), batch(0, true)}});
  f.run();
  REQUIRE(f.sink->pushes.size() == 3);
  f.answer(1);
  CHECK(f.sink->pushes.size() == 3);
  f.answer(2);
  REQUIRE(f.sink->pushes.size() == 4);
  CHECK(f.pushed(3).names->finish);
  f.answer(3);

  // The namespace's actor dies: its successor is watched.
  f.kill(f.context.owners.space("public"));
  f.run();
  f.pass(1s);
  f.name(api::name_kind::config, "g", "a2");
  CHECK(f.sink->pushes.size() == 5);
  REQUIRE(f.ask<api::done>(
    f.conn,
    api::client_unwatch_names{{}, api::name_kind::config, "public", "a*"}));
  f.name(api::name_kind::config, "g", "a3");
  f.pass(10s);
  CHECK(f.sink->pushes.size() == 5);
}

TEST_CASE("connection: a silent client is probed, then cut off") {
  fixture f;
  f.pass(59s);
  CHECK(f.sink->pushes.empty()); // it uses nothing: a minute is borne
  REQUIRE(f.listen({{"public", "g", "x"}}));
  f.pass(19s);
  CHECK(f.sink->pushes.empty());
  caf::anon_send(f.conn, api::client_active{});
  f.run();
  f.pass(19s);
  CHECK(f.sink->pushes.empty());
  f.pass(2s);
  REQUIRE(f.sink->pushes.size() == 1);
  CHECK(f.pushed(0).kind == what::probe);
  f.answer(0);
  f.pass(19s);
  CHECK(f.sink->pushes.size() == 1);
  REQUIRE(f.publish({at("1.1.1.1")}));
  f.pass(21s);
  REQUIRE(f.sink->pushes.size() == 2);
  CHECK(!f.sink->closed);
  f.pass(6s);
  CHECK(f.sink->closed);
  CHECK(f.shown().empty());
}

TEST_CASE("connection: how long a client may be silent is set") {
  runtime::naming_settings settings;
  settings.idle_before_probe = 3s;
  settings.unused_before_probe = 10s;
  fixture f(settings);
  f.pass(9s);
  CHECK(f.sink->pushes.empty());
  REQUIRE(f.publish({at("1.1.1.1")}));
  f.pass(2s);
  CHECK(f.sink->pushes.empty());
  f.pass(2s);
  REQUIRE(f.sink->pushes.size() == 1);
  CHECK(f.pushed(0).kind == what::probe);
}

TEST_CASE("connection: a reset is pushed once; pushes wait for the first call") {
  naming_node n;
  n.start();
  auto sink = std::make_shared<recording_sink>();
  const auto conn = n.connect("c2", sink);
  caf::anon_send(conn, api::client_reset{"10.0.0.1:8848"});
  n.run();
  CHECK(sink->pushes.empty());
  n.pass(150ms);
  REQUIRE(sink->pushes.size() == 1);
  CHECK(sink->pushes[0].item.kind == what::reset);
  CHECK(sink->pushes[0].item.text == "10.0.0.1:8848");
  n.pass(10s);
  CHECK(sink->pushes.size() == 1);
  CHECK(!sink->closed);
}

TEST_CASE("connection: a stream that cannot be written to fails that push only") {
  fixture f;
  REQUIRE(f.listen({{"public", "g", "x"}}));
  f.sink->full = true;
  f.change({"public", "g", "x"});
  CHECK(f.sink->pushes.empty());
  f.sink->full = false;
  f.pass(2100ms);
  CHECK(f.sink->pushes.size() == 1);
}

TEST_CASE("connection: killed, it closes the stream and retracts") {
  fixture f;
  REQUIRE(f.publish({at("1.1.1.1")}));
  f.kill(f.conn);
  f.run();
  CHECK(f.sink->closed);
  CHECK(f.shown().empty());
}

// -- moving to another node -----------------------------------------------------

namespace {

/// Its stream ends after it was asked to move.
void move_away(fixture& f) {
  caf::anon_send(f.conn, api::client_reset{"10.0.0.2:8848"});
  f.run();
  caf::anon_send(f.conn, api::stream_closed{});
  f.run();
}

struct elsewhere {
  explicit elsewhere(fixture& f) : conn(f.connect("conn2", sink)) {}
  std::shared_ptr<recording_sink> sink = std::make_shared<recording_sink>();
  api::connection_actor conn;
};

} // namespace

TEST_CASE("connection: who moves is seen until it has published anew") {
  fixture f;
  const service_key other{"public", "g", "other"};
  REQUIRE(f.publish({at("1.1.1.1"), at("1.1.1.2")}));
  REQUIRE(f.ask<api::done>(f.conn,
                           api::client_publish{{}, other, {at("1.1.1.1")}}));
  move_away(f);
  CHECK(f.shown() == texts{"1.1.1.1", "1.1.1.2"});
  told seen;
  REQUIRE(f.ask<naming::service_view_ptr>(
      f.services.find(key.view())->actor(),
      api::watch_service{{f.watcher(seen), 7}}));
  f.pass(3s);
  elsewhere e(f);
  REQUIRE(f.ask<api::done>(
      e.conn, api::client_publish{{}, key, {at("1.1.1.1"), at("1.1.1.2")}}));
  f.pass(200ms);
  // The old ones are gone, and were never missed.
  CHECK(f.services.find(key.view())->view()->hosts.size() == 2);
  CHECK(!seen.services.empty());
  for (const auto& each : seen.services)
    CHECK(naming::select(*each.view, {}).hosts.size() == 2);
  // The other service waits still.
  CHECK(ips(f.services.find(other.view())->view()) == texts{"1.1.1.1"});
  REQUIRE(f.ask<api::done>(e.conn,
                           api::client_publish{{}, other, {at("1.1.1.1")}}));
  f.pass(200ms);
  CHECK(ips(f.services.find(other.view())->view()) == texts{"1.1.1.1"});
  // What the client takes back now is gone for everybody.
  for (const auto& each : {key, other})
    REQUIRE(f.ask<api::done>(e.conn, api::client_retract{{}, each}));
  f.pass(200ms);
  CHECK(f.shown().empty());
  CHECK(f.services.find(other.view())->view()->hosts.empty());
  CHECK(!f.sink->closed);
}

TEST_CASE("connection: who moved and does not come back is not seen for ever") {
  fixture f;
  REQUIRE(f.publish({at("1.1.1.1")}));
  move_away(f);
  f.pass(29s);
  CHECK(f.shown() == texts{"1.1.1.1"});
  f.pass(2s);
  CHECK(f.shown().empty());
}

TEST_CASE("connection: half of what moved is not enough") {
  fixture f;
  REQUIRE(f.publish({at("1.1.1.1"), at("1.1.1.2")}));
  move_away(f);
  elsewhere e(f);
  REQUIRE(f.ask<api::done>(e.conn,
                           api::client_publish{{}, key, {at("1.1.1.1")}}));
  f.pass(1s);
  CHECK(f.shown() == texts{"1.1.1.1", "1.1.1.1", "1.1.1.2"});
}

TEST_CASE("connection: the service's successor keeps what waits to move") {
  fixture f;
  REQUIRE(f.publish({at("1.1.1.1")}));
  move_away(f);
  f.kill(f.services.find(key.view())->actor());
  f.run();
  f.pass(20s); // orphans that nobody claims are gone by then
  CHECK(f.shown() == texts{"1.1.1.1"});
  elsewhere e(f);
  REQUIRE(f.ask<api::done>(e.conn,
                           api::client_publish{{}, key, {at("1.1.1.1")}}));
  f.pass(200ms);
  CHECK(f.shown() == texts{"1.1.1.1"});
  REQUIRE(f.ask<api::done>(e.conn, api::client_retract{{}, key}));
  f.pass(200ms);
  CHECK(f.shown().empty());
}

TEST_CASE("connection: who stayed long after it was asked ends as others do") {
  fixture f;
  REQUIRE(f.publish({at("1.1.1.1")}));
  caf::anon_send(f.conn, api::client_reset{""});
  f.run();
  for (int i = 0; i < 4; ++i) {
    f.pass(10s);
    caf::anon_send(f.conn, api::client_active{});
    f.run();
  }
  caf::anon_send(f.conn, api::stream_closed{});
  f.run();
  CHECK(f.shown().empty());
}
