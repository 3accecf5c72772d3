// Services and namespaces as actors: registering, expiry, watching, durable
// changes, and what happens when one of them dies.
#include <doctest/doctest.h>

#include "tests/unit/runtime/naming_harness.hpp"

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;
using texts = std::vector<std::string>;

namespace {

const service_key key{"public", "g", "s"};

struct started : naming_node {
  explicit started(const runtime::naming_settings& settings = {})
    : naming_node(settings) {
    start();
  }
};

/// What has to be in the log before a node starts.
void store(meta_state& meta, const pb::Command& command) {
  meta.applied = meta.applied.next();
  REQUIRE(model::apply(command, partition_id{0}, meta.applied, meta.tables)
            .result.code
          == errc::ok);
}

texts names(const result<api::service_page>& page) {
  texts out;
  REQUIRE(page);
  for (const auto& s : page->services)
    out.push_back(s->key().group + "@@" + s->key().service);
  return out;
}

texts list(naming_node& n, const std::string& space = "public",
           const std::string& group = {}) {
  return names(
    n.ask<api::service_page>(n.namespaces, api::list_services{{}, space, group}));
}

} // namespace

TEST_CASE("naming: registered, listed, beaten, expired, forgotten") {
  started n;
  CHECK(n.ready == 1);
  CHECK(!n.services.find(key.view()));
  const auto slot = n.open(key);
  CHECK(n.services.find(key.view()) == slot);
  CHECK(list(n).empty());

  REQUIRE(n.ask<api::done>(slot->actor(), publish("1.1.1.1")));
  CHECK(ips(slot->view()) == texts{"1.1.1.1"});
  CHECK(list(n) == texts{"g@@s"});
  CHECK(list(n, "public", "g") == texts{"g@@s"});
  CHECK(list(n, "public", "other").empty());
  CHECK(list(n, "elsewhere").empty());

  const api::beat_instance beat{{}, beating("1.1.1.1"), nullptr};
  n.pass(14s);
  auto answer = n.ask<api::beat_answer>(slot->actor(), beat);
  REQUIRE(answer);
  CHECK(answer->known);
  CHECK(answer->interval == 5s);
  n.pass(14s);
  CHECK(ips(slot->view()) == texts{"1.1.1.1"});
  n.pass(2s);
  CHECK(ips(slot->view()) == texts{"1.1.1.1 sick"});
  n.pass(15s);
  CHECK(ips(slot->view()).empty());
  CHECK(!n.ask<api::beat_answer>(slot->actor(), beat)->known);
  // Listed while it is kept, then gone.
  CHECK(list(n) == texts{"g@@s"});
  n.pass(57s);
  CHECK(n.services.find(key.view()) == slot);
  n.pass(5s);
  CHECK(list(n).empty());
  CHECK(!n.services.find(key.view()));
}

TEST_CASE("naming: clients that beat all the time put off nobody's end") {
  started n;
  const auto slot = n.open(key);
  auto silent = *at("1.1.1.1");
  // Is to go sooner after it turned sick than the service looks again.
  silent.metadata["preserved.ip.delete.timeout"] = "15200";
  auto m = publish("1.1.1.1");
  m.instances = {std::make_shared<const naming::instance>(silent)};
  REQUIRE(n.ask<api::done>(slot->actor(), m));
  REQUIRE(n.ask<api::done>(slot->actor(), publish("1.1.1.2")));
  const api::beat_instance beat{{}, beating("1.1.1.2"), nullptr};
  for (int i = 0; i < 170; ++i) {
    n.pass(100ms);
    REQUIRE(n.ask<api::beat_answer>(slot->actor(), beat));
  }
  CHECK(ips(slot->view()) == texts{"1.1.1.2"});
}

TEST_CASE("naming: one view for all that came in one burst") {
  started n;
  const auto slot = n.open(key);
  const auto before = slot->view()->version;
  for (int i = 0; i < 100; ++i)
    caf::anon_send(slot->actor(), publish("1.1.1." + std::to_string(i)));
  n.run();
  CHECK(slot->view()->hosts.size() == 100);
  CHECK(slot->view()->version == before + 1);
}

TEST_CASE("naming: refusals reach the asker") {
  started n;
  const auto slot = n.open(key);
  auto bad = *at("1.1.1.1");
  bad.metadata["preserved.heart.beat.interval"] = "60000";
  auto m = publish("1.1.1.1");
  m.instances = {std::make_shared<const naming::instance>(bad)};
  const auto refused = n.ask<api::done>(slot->actor(), m);
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::invalid_argument);
  CHECK(!slot->view()->kind_fixed);
}

TEST_CASE("naming: the owner's death retracts what it published") {
  started n;
  told out;
  const auto owner = n.watcher(out);
  const auto slot = n.open(key);
  REQUIRE(n.ask<api::done>(
    slot->actor(),
    api::publish_instances{{}, "conn", owner, {at("1.1.1.1"), at("1.1.1.2")}}));
  CHECK(slot->view()->hosts.size() == 2);
  n.pass(60s);
  CHECK(slot->view()->hosts.size() == 2);
  n.kill(owner);
  n.run();
  CHECK(slot->view()->hosts.empty());
}

TEST_CASE("naming: watchers are told once per merge window, until they leave") {
  started n;
  told out;
  const auto who = n.watcher(out);
  const auto slot = n.open(key);
  const auto first = n.ask<naming::service_view_ptr>(
    slot->actor(), api::watch_service{{who, 7}});
  REQUIRE(first);
  CHECK((*first)->hosts.empty());
  CHECK(n.ask<std::size_t>(slot->actor(), api::count_watchers{}) == 1u);
  for (int i = 0; i < 5; ++i)
    REQUIRE(n.ask<api::done>(slot->actor(), publish("1.1.1." + std::to_string(i))));
  CHECK(out.services.empty());
  n.pass(50ms);
  REQUIRE(out.services.size() == 1);
  CHECK(out.services[0].tokens == std::vector<std::uint64_t>{7});
  CHECK(out.services[0].view == slot->view());
  CHECK(out.services[0].view->hosts.size() == 5);

  REQUIRE(n.ask<api::done>(slot->actor(), api::unwatch_service{{who, 7}}));
  REQUIRE(n.ask<api::done>(slot->actor(), publish("1.1.1.9")));
  n.pass(1s);
  CHECK(out.services.size() == 1);
  // A watcher that dies leaves too.
  REQUIRE(n.ask<naming::service_view_ptr>(slot->actor(),
                                          api::watch_service{{who, 8}}));
  n.kill(who);
  n.run();
  CHECK(n.ask<std::size_t>(slot->actor(), api::count_watchers{}) == 0u);
}

TEST_CASE("naming: a durable change is answered once it shows") {
  started n;
  const auto slot = n.open(key);
  const auto put = n.ask<model::outcome>(
    slot->actor(), api::change_service{{}, put_instance(key, "2.2.2.2")});
  REQUIRE(put);
  CHECK(put->code == errc::ok);
  CHECK(ips(slot->view()) == texts{"2.2.2.2"});
  CHECK(slot->view()->hosts[0]->client_id == "2.2.2.2:80#false");
  const auto refused = n.ask<api::done>(slot->actor(), publish("1.1.1.1"));
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::failed_precondition);
  n.pass(120s);
  CHECK(ips(slot->view()) == texts{"2.2.2.2"});
}

TEST_CASE("naming: a registration waits for a change that may fix the kind") {
  started n;
  const auto slot = n.open(key);
  auto change = n.asker->request(
    slot->actor(), caf::infinite,
    api::change_service{{}, put_instance(key, "2.2.2.2")});
  auto reg
    = n.asker->request(slot->actor(), caf::infinite, publish("1.1.1.1"));
  n.run();
  errc code{};
  change.receive([&](const model::outcome& o) { code = o.code; },
                 [](const caf::error&) { FAIL("refused"); });
  CHECK(code == errc::ok);
  reg.receive([](const api::done&) { FAIL("both kinds in one service"); },
              [&](const caf::error& e) { code = api::from_caf(e).code; });
  CHECK(code == errc::failed_precondition);
}

TEST_CASE("naming: what is stored is there after a start") {
  naming_node n;
  store(n.meta, *put_instance(key, "2.2.2.2"));
  store(n.meta, *put_instance({"other", "g", "t"}, "3.3.3.3"));
  n.start();
  CHECK(n.ready == 1);
  const auto slot = n.services.find(key.view());
  REQUIRE(slot);
  CHECK(ips(slot->view()) == texts{"2.2.2.2"});
  CHECK(list(n) == texts{"g@@s"});
  CHECK(list(n, "other") == texts{"g@@t"});
}

TEST_CASE("naming: an abandoned record and stale overrides are tidied away") {
  started n;
  auto slot = n.open(key);
  REQUIRE(n.ask<model::outcome>(
    slot->actor(), api::change_service{{}, put_instance(key, "2.2.2.2")}));
  auto over = command_for(key, [](pb::Command& x) {
    return x.mutable_override_put()->mutable_key();
  });
  over->mutable_override_put()->set_ip("9.9.9.9");
  over->mutable_override_put()->set_port(80);
  over->mutable_override_put()->set_cluster("DEFAULT");
  over->mutable_override_put()->mutable_record()->set_weight(3);
  REQUIRE(n.ask<model::outcome>(slot->actor(),
                                api::change_service{{}, over}));
  CHECK(n.meta.tables.count(table_id::instance_override) == 1);
  n.pass(62s);
  CHECK(n.meta.tables.count(table_id::instance_override) == 0);

  auto remove = command_for(key, [](pb::Command& x) {
    return x.mutable_instance_remove()->mutable_key();
  });
  remove->mutable_instance_remove()->set_ip("2.2.2.2");
  remove->mutable_instance_remove()->set_port(80);
  remove->mutable_instance_remove()->set_cluster("DEFAULT");
  REQUIRE(n.ask<model::outcome>(slot->actor(),
                                api::change_service{{}, remove}));
  CHECK(slot->view()->hosts.empty());
  CHECK(n.meta.tables.count(table_id::service) == 1);
  n.pass(63s);
  CHECK(n.meta.tables.count(table_id::service) == 0);
  CHECK(!n.services.find(key.view()));
}

TEST_CASE("naming: names come with the first host and go with the last") {
  started n;
  told out;
  const auto who = n.watcher(out);
  REQUIRE(n.ask<api::done>(
    n.namespaces,
    api::watch_names{{who, 3}, api::name_kind::service, "public"}));
  const auto slot = n.open(key);
  CHECK(out.names.empty());
  REQUIRE(n.ask<api::done>(slot->actor(), publish("1.1.1.1")));
  REQUIRE(n.ask<api::done>(slot->actor(), publish("1.1.1.2")));
  REQUIRE(out.names.size() == 1);
  CHECK(out.names[0].added);
  CHECK(out.names[0].name == "s");
  CHECK(out.names[0].tokens == std::vector<std::uint64_t>{3});
  for (const auto* ip : {"1.1.1.1", "1.1.1.2"})
    REQUIRE(n.ask<api::done>(slot->actor(),
                             api::retract_instances{{}, beating(ip)}));
  REQUIRE(out.names.size() == 2);
  CHECK(!out.names[1].added);

  // Config names come from the partitions' events.
  REQUIRE(n.ask<api::done>(
    n.namespaces,
    api::watch_names{{who, 4}, api::name_kind::config, "public"}));
  model::config_changed change;
  change.key = {"public", "g", "d"};
  change.created = true;
  runtime::route_event(n.context, {partition_id{1}, log_index{9}, change});
  n.run();
  REQUIRE(out.names.size() == 3);
  CHECK(out.names[2].kind == api::name_kind::config);
  CHECK(out.names[2].name == "d");
  REQUIRE(n.ask<api::done>(
    n.namespaces,
    api::unwatch_names{{who, 4}, api::name_kind::config, "public"}));
  runtime::route_event(n.context, {partition_id{1}, log_index{10}, change});
  n.run();
  CHECK(out.names.size() == 3);
}

TEST_CASE("naming: a service that dies comes back with instances and watchers") {
  started n;
  told out;
  const auto who = n.watcher(out);
  const auto owner = n.watcher(out);
  const auto slot = n.open(key);
  REQUIRE(n.ask<api::done>(slot->actor(), publish("1.1.1.1")));
  REQUIRE(n.ask<api::done>(
    slot->actor(),
    api::publish_instances{{}, "conn", owner, {at("1.1.1.2")}}));
  const auto last = slot->view();
  const auto first_actor = slot->actor();
  caf::anon_send(who, caf::actor_cast<caf::actor>(first_actor));

  // Killed while its successor loads: the next one has to do it.
  n.meta.hold_loads = true;
  n.kill(first_actor);
  n.run();
  CHECK(out.downs == 1);
  REQUIRE(slot->actor());
  CHECK(slot->actor() != first_actor);
  REQUIRE(n.meta.held.size() == 1);
  auto early
    = n.asker->request(slot->actor(), caf::infinite, publish("1.1.1.3"));
  n.run();
  n.kill(slot->actor());
  n.run();
  errc code{};
  early.receive([](const api::done&) { FAIL("nobody can have done it"); },
                [&](const caf::error& e) { code = api::from_caf(e).code; });
  CHECK(code == errc::unknown);
  CHECK(ips(slot->view()) == texts{"1.1.1.1", "1.1.1.2"});
  n.meta.hold_loads = false;
  n.meta.held.clear();
  n.pass(100ms);
  REQUIRE(slot->actor());
  CHECK(slot->view()->version > last->version);
  CHECK(slot->view()->last_ref_ms > last->last_ref_ms);
  CHECK(ips(slot->view()) == texts{"1.1.1.1", "1.1.1.2"});
  REQUIRE(n.ask<api::done>(slot->actor(), publish("1.1.1.3")));
  CHECK(slot->view()->hosts.size() == 3);
  CHECK(n.open(key) == slot);
  // The stream client does not come back for it; the beating ones expire later.
  n.pass(14s);
  CHECK(ips(slot->view()).size() == 3);
  n.pass(2s);
  CHECK(ips(slot->view()) == texts{"1.1.1.1 sick", "1.1.1.3 sick"});
}

TEST_CASE("naming: a service killed again and again is started with back-off") {
  started n;
  const auto slot = n.open(key);
  std::size_t restarts = 0;
  for (int i = 0; i < 20; ++i) {
    const auto now = slot->actor();
    if (now) {
      ++restarts;
      n.kill(now);
    }
    n.pass(50ms);
  }
  CHECK(restarts >= 3);
  CHECK(restarts <= 7);
  n.pass(6s);
  REQUIRE(slot->actor());
  CHECK(n.ask<api::done>(slot->actor(), publish("1.1.1.1")));
}

TEST_CASE("naming: loads that fail are tried again, requests wait") {
  started n;
  n.meta.refuse_loads = true;
  auto open
    = n.asker->request(n.namespaces, caf::infinite, api::open_service{{}, key});
  n.pass(500ms);
  CHECK(n.meta.loads >= 3);
  CHECK(n.meta.loads <= 8);
  n.meta.refuse_loads = false;
  n.pass(1s);
  bool opened = false;
  open.receive([&](const api::service_opened&) { opened = true; },
               [](const caf::error&) {});
  CHECK(opened);
}

TEST_CASE("naming: namespaces die and come back with all their services") {
  started n;
  const auto slot = n.open(key);
  REQUIRE(n.ask<api::done>(slot->actor(), publish("1.1.1.1")));
  const auto old_service = slot->actor();

  n.kill(n.context.owners.space("public"));
  n.run();
  REQUIRE(slot->actor());
  CHECK(slot->actor() != old_service);
  CHECK(n.open(key) == slot);
  CHECK(list(n) == texts{"g@@s"});
  CHECK(ips(slot->view()) == texts{"1.1.1.1"});

  n.kill(n.namespaces);
  n.run();
  n.namespaces = runtime::spawn_namespaces(n.system, n.context);
  n.run();
  CHECK(n.ready == 2);
  CHECK(n.open(key) == slot);
  REQUIRE(n.ask<api::done>(slot->actor(), publish("1.1.1.2")));
  CHECK(ips(slot->view()) == texts{"1.1.1.1", "1.1.1.2"});
}

TEST_CASE("naming: nobody expires because the process stood still") {
  started n;
  const auto slot = n.open(key);
  REQUIRE(n.ask<api::done>(slot->actor(), publish("1.1.1.1")));
  n.pass(5s);
  n.time.gone += 10min;
  n.scheduler().advance_time(10min);
  n.run();
  n.pass(9s);
  CHECK(ips(slot->view()) == texts{"1.1.1.1"});
  n.pass(3s);
  CHECK(ips(slot->view()) == texts{"1.1.1.1 sick"});
}

TEST_CASE("naming: a request that reaches a forgotten service is passed on") {
  started n;
  const auto slot = n.open(key);
  const auto old = slot->actor();
  n.pass(61s);
  REQUIRE(!n.services.find(key.view()));
  // The old actor lingers: this publish came by a handle taken before.
  REQUIRE(n.ask<api::done>(old, publish("1.1.1.1")));
  const auto fresh = n.services.find(key.view());
  REQUIRE(fresh);
  CHECK(fresh != slot);
  CHECK(ips(fresh->view()) == texts{"1.1.1.1"});
  CHECK(fresh->view()->version > slot->view()->version);
}
