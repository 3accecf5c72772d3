#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "actors/core/naming/change_rules.hpp"
#include "actors/core/naming/service_core.hpp"

using namespace muster;
using namespace muster::naming;
using std::chrono::seconds;

namespace {

constexpr steady_time start{milliseconds{1'000'000}};
constexpr wall_time today{milliseconds{1'700'000'000'000}};
const service_key key{"public", "g", "s"};
const service_rules rules;

instance_ptr at(std::string ip, std::uint16_t port = 80,
                metadata_map metadata = {}, std::string cluster = "") {
  instance i;
  i.ip = std::move(ip);
  i.port = port;
  i.metadata = std::move(metadata);
  i.cluster = std::move(cluster);
  return std::make_shared<const instance>(std::move(i));
}

service_core fresh() { return service_core{key, rules, start}; }

std::vector<std::string> addresses(const std::vector<hosted_ptr>& hosts) {
  std::vector<std::string> out;
  for (const auto& h : hosts)
    out.push_back(h->shown->ip + ":" + std::to_string(h->shown->port)
                  + (h->shown->healthy ? "" : " sick"));
  return out;
}

std::vector<std::string> shown(service_core& core) {
  return addresses(core.publish_view(today)->hosts);
}

using texts = std::vector<std::string>;

result<void> put(service_core& core, const std::string& client,
                 std::vector<instance_ptr> hosts, steady_time now = start) {
  const bool beats = client.ends_with("#true");
  return core.publish(client,
                      beats ? client_kind::heart_beat : client_kind::stream,
                      hosts, now);
}

stored_service stored(bool ephemeral, bool by_hand = false) {
  stored_service s;
  s.definition.emplace();
  s.definition->ephemeral = ephemeral;
  s.definition->by_hand = by_hand;
  return s;
}

instance_ptr persistent(const std::string& ip, bool healthy = true) {
  auto i = *at(ip);
  i.ephemeral = false;
  i.healthy = healthy;
  return std::make_shared<const instance>(std::move(i));
}

} // namespace

TEST_CASE("service: a publication fills in defaults and shares the rest") {
  auto core = fresh();
  CHECK(!core.dirty());
  CHECK(!core.kind_fixed());
  REQUIRE(put(core, "c1", {at("10.0.0.1", 8080)}));
  CHECK(core.dirty());
  const auto view = core.publish_view(today);
  CHECK(!core.dirty());
  REQUIRE(view->hosts.size() == 1);
  const auto& host = *view->hosts[0];
  CHECK(host.client_id == "c1");
  CHECK(host.shown == host.registered);
  CHECK(host.shown->cluster == "DEFAULT");
  CHECK(host.shown->instance_id == "10.0.0.1#8080#DEFAULT#g@@s");
  CHECK(view->key == key);
  CHECK(view->kind_fixed);
  CHECK(view->definition.ephemeral);
}

TEST_CASE("service: an instance that needs no filling in is not copied") {
  auto core = fresh();
  auto i = *at("10.0.0.1", 80, {}, "c");
  i.instance_id = "own";
  const auto given = std::make_shared<const instance>(i);
  REQUIRE(put(core, "c1", {given}));
  CHECK(core.publish_view(today)->hosts[0]->shown == given);
}

TEST_CASE("service: one publication per client, a new one replaces") {
  auto core = fresh();
  REQUIRE(put(core, "a", {at("1.1.1.1"), at("1.1.1.2"), at("1.1.1.3")}));
  REQUIRE(put(core, "b", {at("1.1.1.2", 81)}));
  CHECK(shown(core)
        == texts{"1.1.1.1:80", "1.1.1.2:80", "1.1.1.2:81", "1.1.1.3:80"});
  REQUIRE(put(core, "a", {at("1.1.1.9")}));
  CHECK(shown(core) == texts{"1.1.1.2:81", "1.1.1.9:80"});
  CHECK(core.retract("a", start));
  CHECK(!core.retract("a", start));
  CHECK(shown(core) == texts{"1.1.1.2:81"});
  REQUIRE(put(core, "b", {}));
  CHECK(shown(core).empty());
  CHECK(core.kind_fixed());
}

TEST_CASE("service: a batch may hold the same address twice") {
  auto core = fresh();
  REQUIRE(put(core, "a", {at("1.1.1.1"), at("1.1.1.1"), at("1.1.1.1", 81)}));
  CHECK(core.publish_view(today)->hosts.size() == 3);
  CHECK(select(*core.publish_view(today), {}).hosts.size() == 2);
  REQUIRE(put(core, "a", {at("1.1.1.1")}));
  CHECK(shown(core) == texts{"1.1.1.1:80"});
}

TEST_CASE("service: hosts stay sorted whatever the order of arrival") {
  auto core = fresh();
  texts expected;
  std::srand(7);
  for (int i = 0; i < 200; ++i) {
    const auto ip = "10.0." + std::to_string(std::rand() % 50) + "."
                    + std::to_string(i);
    REQUIRE(put(core, "client" + std::to_string(i), {at(ip)}));
    expected.push_back(ip + ":80");
  }
  std::ranges::sort(expected, {}, [](const std::string& s) {
    return s.substr(0, s.find(':'));
  });
  CHECK(shown(core) == expected);
}

TEST_CASE("service: refused publications change nothing") {
  auto core = fresh();
  struct row {
    const char* name;
    metadata_map metadata;
    bool accepted;
  };
  const row rows[] = {
    {"interval above time-out", {{"preserved.heart.beat.interval", "16000"}},
     false},
    {"delete below interval", {{"preserved.ip.delete.timeout", "4999"}}, false},
    {"time-out below interval", {{"preserved.heart.beat.timeout", "100"}},
     false},
    {"all shortened",
     {{"preserved.heart.beat.interval", "1000"},
      {"preserved.heart.beat.timeout", "1000"},
      {"preserved.ip.delete.timeout", "1000"}},
     true},
    {"not a number", {{"preserved.heart.beat.interval", "x"}}, true},
  };
  for (const auto& r : rows) {
    CAPTURE(r.name);
    auto c = fresh();
    const auto done = put(c, "1.1.1.1:80#true", {at("1.1.1.1", 80, r.metadata)});
    CHECK(done.has_value() == r.accepted);
    CHECK(c.has_hosts() == r.accepted);
    CHECK(c.dirty() == r.accepted);
    if (!done)
      CHECK(done.error().code == errc::invalid_argument);
  }
  std::vector<instance_ptr> many(rules.batch_max + 1, at("1.1.1.1"));
  CHECK(put(core, "a", many).error().code == errc::resource_exhausted);
  CHECK(!core.has_hosts());
}

TEST_CASE("service: the first registration or a record fixes the kind") {
  auto core = fresh();
  core.load(stored(false), start);
  auto refused = put(core, "a", {at("1.1.1.1")});
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::failed_precondition);
  CHECK(refused.error().message
        == "Current service g@@s is persistent service, can't register "
           "ephemeral instance.");

  auto hand = fresh();
  hand.load(stored(true, true), start);
  CHECK(put(hand, "a", {at("1.1.1.1")}));

  // A removed record leaves nothing of an empty service.
  auto gone = fresh();
  gone.load(stored(true, true), start);
  gone.load({}, start);
  CHECK(!gone.kind_fixed());
  // With instances it stays what it was.
  hand.load({}, start);
  CHECK(hand.kind_fixed());
  CHECK(hand.ephemeral());
  CHECK(!hand.has_record());
}

TEST_CASE("service: heart-beats renew, silence makes sick, then removes") {
  auto core = fresh();
  const std::string id = "1.1.1.1:80#true";
  REQUIRE(put(core, id, {at("1.1.1.1")}));
  CHECK(core.next_deadline() == start + seconds(15));
  core.expire(start + seconds(14));
  CHECK(shown(core) == texts{"1.1.1.1:80"});

  auto beat = core.beat(id, nullptr, start + seconds(14));
  REQUIRE(beat);
  CHECK(beat->known);
  CHECK(beat->interval == seconds(5));
  CHECK(!core.dirty());
  core.expire(start + seconds(15));
  CHECK(!core.dirty());
  CHECK(core.next_deadline() == start + seconds(29));

  core.expire(start + seconds(29));
  CHECK(core.dirty());
  CHECK(shown(core) == texts{"1.1.1.1:80 sick"});
  CHECK(core.next_deadline() == start + seconds(44));
  beat = core.beat(id, nullptr, start + seconds(43));
  CHECK(beat->known);
  CHECK(shown(core) == texts{"1.1.1.1:80"});

  core.expire(start + seconds(58));
  CHECK(shown(core) == texts{"1.1.1.1:80 sick"});
  core.expire(start + seconds(73));
  CHECK(shown(core).empty());
  CHECK(!core.beat(id, nullptr, start + seconds(74))->known);
}

TEST_CASE("service: times from metadata, per instance") {
  auto core = fresh();
  const metadata_map quick{{"preserved.heart.beat.interval", "1000"},
                           {"preserved.heart.beat.timeout", "2000"},
                           {"preserved.ip.delete.timeout", "3000"}};
  REQUIRE(put(core, "1.1.1.1:80#true", {at("1.1.1.1", 80, quick)}));
  REQUIRE(put(core, "1.1.1.2:80#true", {at("1.1.1.2")}));
  REQUIRE(put(core, "1.1.1.3:80#true",
              {at("1.1.1.3", 80, {{"enableClientBeat", "true"}})}));
  CHECK(core.beat("1.1.1.1:80#true", nullptr, start)->interval == seconds(1));
  core.expire(start + seconds(2));
  CHECK(shown(core) == texts{"1.1.1.1:80 sick", "1.1.1.2:80", "1.1.1.3:80"});
  core.expire(start + seconds(3));
  CHECK(shown(core) == texts{"1.1.1.2:80", "1.1.1.3:80"});
  core.expire(start + seconds(31));
  CHECK(shown(core) == texts{"1.1.1.3:80"});
}

TEST_CASE("service: with expiry off the sick stay until their client ends") {
  service_rules keep;
  keep.expire_instances = false;
  service_core core{key, keep, start};
  REQUIRE(put(core, "1.1.1.1:80#true", {at("1.1.1.1")}));
  core.expire(start + seconds(179));
  CHECK(shown(core) == texts{"1.1.1.1:80 sick"});
  CHECK(core.next_deadline() == start + seconds(180));
  core.expire(start + seconds(180));
  CHECK(shown(core).empty());
}

TEST_CASE("service: a silent client ends whatever its metadata say") {
  service_rules rules;
  rules.client_kept = seconds(100);
  service_core core{key, rules, start};
  const metadata_map patient{{"preserved.ip.delete.timeout", "600000"}};
  const metadata_map unchecked{{"enableClientBeat", "true"}};
  REQUIRE(put(core, "1.1.1.1:80#true", {at("1.1.1.1", 80, patient)}));
  REQUIRE(put(core, "1.1.1.2:80#true", {at("1.1.1.2", 80, unchecked)}));
  REQUIRE(put(core, "1.1.1.3:80#true", {at("1.1.1.3", 80, unchecked)}));
  REQUIRE(put(core, "conn-1", {at("1.1.1.4")}));
  CHECK(core.beat("1.1.1.3:80#true", nullptr, start + seconds(50))->known);
  core.expire(start + seconds(99));
  CHECK(shown(core)
        == texts{"1.1.1.1:80 sick", "1.1.1.2:80", "1.1.1.3:80", "1.1.1.4:80"});
  core.expire(start + seconds(100));
  CHECK(shown(core) == texts{"1.1.1.3:80", "1.1.1.4:80"});
  core.expire(start + seconds(150));
  CHECK(shown(core) == texts{"1.1.1.4:80"});
}

TEST_CASE("service: its definition takes all out of the check, and back") {
  auto core = fresh();
  auto unchecked = stored(true, true);
  unchecked.definition->metadata["enableClientBeat"] = "true";
  core.load(unchecked, start);
  REQUIRE(put(core, "1.1.1.1:80#true", {at("1.1.1.1")}));
  core.expire(start + seconds(60));
  CHECK(shown(core) == texts{"1.1.1.1:80"});
  CHECK(core.next_deadline() == start + seconds(180));
  core.load(stored(true, true), start + seconds(61));
  CHECK(core.next_deadline() == start + seconds(15));
  core.expire(start + seconds(61));
  CHECK(shown(core).empty());
}

TEST_CASE("service: stream clients need no beat") {
  auto core = fresh();
  REQUIRE(put(core, "conn-1", {at("1.1.1.1")}));
  CHECK(!core.next_deadline());
  core.expire(start + seconds(1'000));
  CHECK(shown(core) == texts{"1.1.1.1:80"});
}

TEST_CASE("service: beats of the unknown") {
  auto core = fresh();
  const std::string id = "1.1.1.1:80#true";
  CHECK(!core.beat(id, nullptr, start)->known);
  CHECK(!core.kind_fixed());
  CHECK(core.beat(id, at("1.1.1.1"), start)->known);
  CHECK(shown(core) == texts{"1.1.1.1:80"});
  core.expire(start + seconds(15));
  CHECK(shown(core) == texts{"1.1.1.1:80 sick"});

  auto fixed = fresh();
  auto s = stored(false);
  s.instances.push_back(persistent("1.1.1.1"));
  fixed.load(std::move(s), start);
  CHECK(fixed.beat(id, at("1.1.1.1"), start)->known);
  CHECK(fixed.beat("1.1.1.2:80#true", at("1.1.1.2"), start).error().code
        == errc::failed_precondition);
}

TEST_CASE("service: a beat heals what was registered as unhealthy") {
  auto core = fresh();
  auto i = *at("1.1.1.1");
  i.healthy = false;
  REQUIRE(put(core, "1.1.1.1:80#true", {std::make_shared<const instance>(i)}));
  CHECK(shown(core) == texts{"1.1.1.1:80 sick"});
  CHECK(core.beat("1.1.1.1:80#true", nullptr, start)->known);
  CHECK(shown(core) == texts{"1.1.1.1:80"});
}

TEST_CASE("service: persistent instances come from the record, never expire") {
  auto core = fresh();
  auto s = stored(false);
  s.instances = {persistent("1.1.1.2", false), persistent("1.1.1.1")};
  core.load(std::move(s), start);
  const auto view = core.publish_view(today);
  CHECK(addresses(view->hosts) == texts{"1.1.1.1:80", "1.1.1.2:80 sick"});
  CHECK(view->hosts[0]->client_id == "1.1.1.1:80#false");
  CHECK(!core.next_deadline());
  core.load(stored(false), start);
  CHECK(shown(core).empty());
}

TEST_CASE("service: overrides are laid over and survive re-registration") {
  auto core = fresh();
  REQUIRE(put(core, "1.1.1.1:80#true", {at("1.1.1.1", 80, {{"a", "1"}})}));
  auto s = stored_service{};
  instance_override over;
  over.weight = 7.0;
  over.enabled = false;
  over.metadata = {{"b", "2"}};
  s.overrides.emplace_back(instance_place{"1.1.1.1", 80, "DEFAULT"}, over);
  s.overrides.emplace_back(instance_place{"9.9.9.9", 80, "DEFAULT"}, over);
  core.load(s, start);
  const auto check = [&] {
    const auto host = core.publish_view(today)->hosts.at(0);
    CHECK(host->shown->weight == 7.0);
    CHECK(!host->shown->enabled);
    CHECK(host->shown->metadata == metadata_map{{"a", "1"}, {"b", "2"}});
    CHECK(host->registered->weight == 1.0);
  };
  check();
  REQUIRE(put(core, "1.1.1.1:80#true", {at("1.1.1.1", 80, {{"a", "1"}})}));
  check();
  core.expire(start + seconds(15));
  check();
  CHECK(core.beat("1.1.1.1:80#true", nullptr, start + seconds(16))->known);
  check();
  // Overrides of instances that are away go after a minute.
  CHECK(core.stale_overrides(start + seconds(59)).empty());
  CHECK(core.stale_overrides(start + seconds(60))
        == std::vector{instance_place{"9.9.9.9", 80, "DEFAULT"}});
  core.load({}, start + seconds(61));
  CHECK(core.publish_view(today)->hosts.at(0)->shown->weight == 1.0);
}

TEST_CASE("service: last_ref_ms and version rise with each view") {
  auto core = fresh();
  const auto first = core.publish_view(today);
  const auto second = core.publish_view(today);
  const auto third = core.publish_view(today - seconds(5));
  const auto fourth = core.publish_view(today + seconds(5));
  CHECK(first->last_ref_ms == to_unix_ms(today));
  CHECK(second->last_ref_ms == first->last_ref_ms + 1);
  CHECK(third->last_ref_ms == second->last_ref_ms + 1);
  CHECK(fourth->last_ref_ms == to_unix_ms(today + seconds(5)));
  CHECK(first->version == to_unix_ms(today));
  CHECK(fourth->version == first->version + 3);
}

TEST_CASE("service: idle after a minute without hosts, watchers and record") {
  auto core = fresh();
  CHECK(core.next_deadline() == start + seconds(60));
  CHECK(!core.is_idle(start + seconds(59)));
  CHECK(core.is_idle(start + seconds(60)));
  core.set_watched(true, start);
  CHECK(!core.dirty());
  CHECK(!core.is_idle(start + seconds(600)));
  core.set_watched(false, start + seconds(600));
  CHECK(!core.is_idle(start + seconds(659)));
  CHECK(core.is_idle(start + seconds(660)));
  REQUIRE(put(core, "a", {at("1.1.1.1")}, start + seconds(700)));
  CHECK(!core.is_idle(start + seconds(900)));
  CHECK(core.retract("a", start + seconds(900)));
  CHECK(core.is_idle(start + seconds(960)));
  // Made by hand: kept. Only auto-made by a persistent instance: not.
  core.load(stored(true, true), start + seconds(960));
  CHECK(!core.is_idle(start + seconds(9'999)));
  core.load(stored(false), start + seconds(9'999));
  CHECK(core.is_idle(start + seconds(10'059)));
}

TEST_CASE("service: without cleaning, only what never existed is idle") {
  service_rules rules;
  rules.forget_empty = false;
  service_core core{key, rules, start};
  CHECK(core.is_idle(start + seconds(60)));
  REQUIRE(put(core, "a", {at("1.1.1.1")}));
  CHECK(core.retract("a", start + seconds(1)));
  CHECK(!core.is_idle(start + seconds(9'999)));
  CHECK(!core.next_deadline());
  core.load(stored(false), start + seconds(9'999));
  CHECK(!core.is_idle(start + seconds(99'999)));
}

TEST_CASE("service: a new core takes over from the last view") {
  auto old = fresh();
  REQUIRE(put(old, "1.1.1.1:80#true", {at("1.1.1.1")}));
  REQUIRE(put(old, "1.1.1.2:80#true", {at("1.1.1.2")}));
  REQUIRE(put(old, "conn", {at("1.1.1.3"), at("1.1.1.4")}));
  CHECK(old.beat("1.1.1.2:80#true", nullptr, start + seconds(10))->known);
  old.expire(start + seconds(15));
  const auto last = old.publish_view(today);

  auto core = fresh();
  core.take_over(*last, start + seconds(20));
  CHECK(core.dirty());
  CHECK(core.kind_fixed());
  core.load({}, start + seconds(20));
  const auto view = core.publish_view(today);
  CHECK(view->version > last->version);
  CHECK(view->last_ref_ms > last->last_ref_ms);
  CHECK(addresses(view->hosts) == addresses(last->hosts));
  CHECK(addresses(view->hosts)[0] == "1.1.1.1:80 sick");
  // The connection comes back for one of its services only.
  core.expire(start + seconds(34));
  CHECK(core.publish_view(today)->hosts.size() == 4);
  core.expire(start + seconds(35));
  CHECK(shown(core) == texts{"1.1.1.1:80 sick", "1.1.1.2:80 sick"});

  auto claimed = fresh();
  claimed.take_over(*last, start);
  REQUIRE(put(claimed, "conn", {at("1.1.1.3")}));
  claimed.expire(start + seconds(14));
  CHECK(shown(claimed)
        == texts{"1.1.1.1:80 sick", "1.1.1.2:80", "1.1.1.3:80"});
  claimed.expire(start + seconds(30));
  CHECK(shown(claimed) == texts{"1.1.1.3:80"});
}

TEST_CASE("select: cluster, enabled, healthyOnly, doubles, protection") {
  service_view view;
  const auto add = [&view](const char* ip, const char* cluster, bool healthy,
                           bool enabled) {
    auto i = *at(ip, 80, {}, cluster);
    i.healthy = healthy;
    i.enabled = enabled;
    auto h = std::make_shared<hosted_instance>();
    h->shown = h->registered = std::make_shared<const instance>(i);
    view.hosts.push_back(std::move(h));
  };
  add("1", "A", true, true);
  add("2", "A", false, true);
  add("2", "A", false, true);
  add("3", "A", true, false);
  add("4", "B", true, true);
  struct row {
    const char* name;
    selection wanted;
    bool by_hand;
    double threshold;
    texts expected;
    bool protect;
  };
  const row rows[] = {
    {"all", {}, false, 0, {"1:80", "2:80 sick", "4:80"}, false},
    {"blank list", {" "}, false, 0, {"1:80", "2:80 sick", "4:80"}, false},
    {"disabled too", {"", false, true}, false, 0,
     {"1:80", "2:80 sick", "3:80", "4:80"}, false},
    {"one cluster", {"B"}, false, 0, {"4:80"}, false},
    {"comma list", {"X, B,A"}, false, 0, {"1:80", "2:80 sick", "4:80"}, false},
    {"unknown cluster", {"X"}, true, 1, {}, false},
    {"healthy only", {"", true}, false, 1, {"1:80", "4:80"}, false},
    {"below threshold", {}, true, 0.7, {"1:80", "2:80 sick", "4:80"}, true},
    {"above threshold", {}, true, 0.6, {"1:80", "2:80 sick", "4:80"}, false},
    {"not by hand", {}, false, 1, {"1:80", "2:80 sick", "4:80"}, false},
    {"healthy only, threshold 1", {"", true}, true, 1, {"1:80", "4:80"}, true},
    {"healthy only, less", {"", true}, true, 0.9, {"1:80", "4:80"}, false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.name);
    view.definition.by_hand = r.by_hand;
    view.definition.protect_threshold = r.threshold;
    const auto got = select(view, r.wanted);
    CHECK(addresses(got.hosts) == r.expected);
    CHECK(got.protect == r.protect);
  }
  // All sick at threshold 0: 0 <= 0 fires.
  service_view sick;
  sick.definition.by_hand = true;
  sick.hosts = {view.hosts[1]};
  CHECK(select(sick, {}).protect);
}

TEST_CASE("changes: what the tables cannot know is decided before the log") {
  const auto about = [](auto&& fill) {
    auto c = std::make_shared<pb::Command>();
    auto* k = fill(*c);
    k->set_namespace_id("public");
    k->set_group("g");
    k->set_service("s");
    return command_ptr(c);
  };
  const auto service_put = [&](pb::ServicePut::Mode mode) {
    return about([mode](pb::Command& c) {
      c.mutable_service_put()->set_mode(mode);
      return c.mutable_service_put()->mutable_key();
    });
  };
  const auto instance = about(
    [](pb::Command& c) { return c.mutable_instance_put()->mutable_key(); });
  const auto remove = about(
    [](pb::Command& c) { return c.mutable_service_remove()->mutable_key(); });

  enum class state { none, record, registered, emptied };
  struct row {
    const char* name;
    state is;
    command_ptr command;
    errc code; ///< of a decided outcome; `unknown` = to be proposed
  };
  const auto proposed = errc::unknown;
  auto stranger = *instance;
  stranger.mutable_instance_put()->mutable_key()->set_service("t");
  const row rows[] = {
    {"create new", state::none, service_put(pb::ServicePut::CREATE), proposed},
    {"create known", state::record, service_put(pb::ServicePut::CREATE),
     errc::already_exists},
    {"create registered", state::registered,
     service_put(pb::ServicePut::CREATE), errc::already_exists},
    {"update unknown", state::none, service_put(pb::ServicePut::UPDATE),
     errc::not_found},
    {"update registered", state::registered,
     service_put(pb::ServicePut::UPDATE), proposed},
    {"persistent in new", state::none, instance, proposed},
    {"persistent in ephemeral", state::registered, instance,
     errc::failed_precondition},
    {"remove unknown", state::none, remove, errc::not_found},
    {"remove record", state::record, remove, proposed},
    {"remove with hosts", state::registered, remove, errc::failed_precondition},
    {"remove emptied", state::emptied, remove, errc::ok},
    {"another service", state::none, std::make_shared<pb::Command>(stranger),
     errc::invalid_argument},
    {"no command", state::none, nullptr, errc::invalid_argument},
  };
  for (const auto& r : rows) {
    CAPTURE(r.name);
    auto core = fresh();
    if (r.is == state::record)
      core.load(stored(true, true), start);
    if (r.is == state::registered || r.is == state::emptied)
      REQUIRE(put(core, "a", {at("1.1.1.1")}));
    if (r.is == state::emptied)
      core.retract("a", start);
    const auto got = prepare_change(core, r.command, start);
    if (r.code == proposed) {
      REQUIRE(std::holds_alternative<command_ptr>(got));
      const auto& c = *std::get<command_ptr>(got);
      if (r.is == state::registered) {
        CHECK(c.service_put().mode() == pb::ServicePut::UPSERT);
        CHECK(c.service_put().record().ephemeral());
      }
    } else {
      REQUIRE(std::holds_alternative<decided>(got));
      CHECK(std::get<decided>(got).code == r.code);
    }
    if (r.is == state::emptied)
      CHECK(!core.kind_fixed());
  }
}
