// A service whose publications are shared with other nodes: whose word counts.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "actors/core/naming/service_core.hpp"

using namespace muster;
using namespace muster::naming;
using namespace std::chrono_literals;

namespace {

constexpr steady_time start{1'000'000ms};
constexpr wall_time today{1'700'000'000'000ms};
const service_key key{"public", "g", "s"};
const service_rules rules;
const std::string beating = "1.1.1.1:80#true";

instance_ptr at(const std::string& ip) {
  instance i;
  i.ip = ip;
  i.port = 80;
  return std::make_shared<const instance>(i);
}

struct shared_service {
  revision_clock revisions;
  sharing shared{{node_id{1}, 10}, revisions};
  service_core core{key, rules, start, &shared};

  publication_ptr last() {
    auto all = core.take_changes();
    return all.empty() ? nullptr : all.back();
  }
  std::vector<std::string> shown() {
    std::vector<std::string> out;
    const auto view = core.publish_view(today);
    for (const auto& h : view->hosts)
      out.push_back(h->shown->ip + (h->shown->healthy ? "" : " sick"));
    return out;
  }
};

publication theirs(const std::string& id, std::uint64_t revision,
                   node_id node = node_id{2}) {
  publication p;
  p.client_id = id;
  p.from = {revision, {node, 20}, false};
  p.instances.push_back(at("1.1.1.1"));
  return p;
}

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("sharing: what changes here is told with rising revisions") {
  shared_service s;
  REQUIRE(
      s.core.publish(beating, client_kind::heart_beat, {at("1.1.1.1")}, start));
  const auto first = s.last();
  REQUIRE(first);
  CHECK(first->from.owner == s.shared.self);
  CHECK(*first->service == key);
  CHECK_FALSE(s.last());
  // A beat that changes nothing is nobody's business.
  REQUIRE(s.core.beat(beating, nullptr, start + 5s));
  CHECK_FALSE(s.last());
  s.core.expire(start + 20s);
  const auto sick = s.last();
  REQUIRE(sick);
  CHECK(sick->health == beat_health::sick);
  CHECK(sick->from > first->from);
  REQUIRE(s.core.beat(beating, nullptr, start + 21s));
  CHECK(s.last()->health == beat_health::healed);
  s.core.expire(start + 60s);
  const auto gone = s.last();
  REQUIRE(gone);
  CHECK(gone->removed());
  CHECK_FALSE(gone->asked);
  CHECK(gone->from > sick->from);
}

TEST_CASE("sharing: a view has all that a successor needs") {
  shared_service s;
  REQUIRE(
      s.core.publish(beating, client_kind::heart_beat, {at("1.1.1.1")}, start));
  s.core.apply(theirs("2.2.2.2:80#true", 7), false, start);
  const auto view = s.core.publish_view(today);
  CHECK(publications_of(*view).size() == 2);
  service_core next(key, rules, start, &s.shared);
  next.take_over(*view, start);
  // The other node's has no time here; this node's has.
  next.expire(start + 100s);
  const auto left = next.publish_view(today);
  REQUIRE(left->hosts.size() == 1);
  CHECK(left->hosts[0]->client_id == "2.2.2.2:80#true");
}

TEST_CASE("sharing: of two claims on a client, who heard it last keeps it") {
  struct row {
    const char* name;
    bool heard;       ///< it beats here, and is well
    bool taken;       ///< the other node took it over unheard
    bool sick;        ///< the other node finds it silent
    bool responsible; ///< this node is
    bool kept;
  };
  const row rows[] = {
      {"heard here, taken over there", true, true, false, false, true},
      {"heard here, silent there", true, false, true, false, true},
      {"heard on both, for this node", true, false, false, true, true},
      {"heard on both, for the other", true, false, false, false, false},
      {"silent here, heard there", false, false, false, true, false},
      {"silent here, taken there", false, true, false, true, false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.name);
    shared_service s;
    REQUIRE(s.core.publish(beating, client_kind::heart_beat, {at("1.1.1.1")},
                           start));
    if (!r.heard)
      s.core.expire(start + 16s);
    (void)s.last();
    auto claim = theirs(beating, 1'000);
    claim.from.taken = r.taken;
    claim.health = r.sick ? beat_health::sick : beat_health::as_registered;
    s.revisions.observe(claim.from.revision);
    s.core.apply(claim, r.responsible, start + 16s);
    const auto said = s.last();
    REQUIRE(said); // claimed anew, or let go: distro has to know either
    CHECK((said->from.owner == s.shared.self) == r.kept);
    CHECK(said->from.revision >= claim.from.revision);
  }
}

TEST_CASE("sharing: a removal counts if its owner says so, or the client did") {
  struct row {
    const char* name;
    std::uint64_t node;
    std::uint64_t revision;
    bool asked;
    bool removed;
  };
  const row rows[] = {{"by its owner", 2, 11, false, true},
                      {"an old one of its owner", 2, 9, false, false},
                      {"by a node that lost it", 3, 11, false, false},
                      {"asked for elsewhere", 3, 11, true, true},
                      {"asked for before it came back", 3, 9, true, false}};
  for (const auto& r : rows) {
    CAPTURE(r.name);
    shared_service s;
    s.core.apply(theirs(beating, 10), false, start);
    auto removal = theirs(beating, r.revision, node_id{r.node});
    removal.instances.clear();
    removal.asked = r.asked;
    s.core.apply_removal(removal, start);
    CHECK(s.shown().empty() == r.removed);
  }
}

TEST_CASE("sharing: when an owner is gone, one node adopts, others wait") {
  shared_service adopts;
  adopts.core.apply(theirs(beating, 10), true, start);
  adopts.core.adopt(beating, 9, start); // about an earlier state: nothing
  CHECK_FALSE(adopts.last());
  adopts.revisions.observe(10);
  adopts.core.adopt(beating, 10, start + 1s);
  const auto taken = adopts.last();
  REQUIRE(taken);
  CHECK(taken->from.taken);
  CHECK(taken->from.revision > 10);
  adopts.core.expire(start + 30s);
  CHECK(adopts.shown() == texts{"1.1.1.1 sick"});
  adopts.core.expire(start + 32s);
  CHECK(adopts.shown().empty());

  shared_service waits;
  waits.core.apply(theirs("conn-1", 10), false, start);
  waits.core.abandon("conn-1", 10, start);
  waits.core.expire(start + 29s);
  CHECK(waits.shown() == texts{"1.1.1.1"});
  SUBCASE("the owner is there after all") {
    waits.core.apply(theirs("conn-1", 10), false, start + 29s);
    waits.core.expire(start + 300s);
    CHECK(waits.shown() == texts{"1.1.1.1"});
  }
  SUBCASE("nobody comes") {
    waits.core.expire(start + 31s);
    CHECK(waits.shown().empty());
    // In the owner's name: this node has no say over it.
    const auto said = waits.last();
    REQUIRE(said);
    CHECK(said->removed());
    CHECK(said->from.owner.node == node_id{2});
  }
}

TEST_CASE("sharing: a beat makes this node the owner") {
  shared_service s;
  auto sick = theirs(beating, 10);
  sick.health = beat_health::sick;
  s.core.apply(sick, true, start);
  s.revisions.observe(10);
  CHECK(s.shown() == texts{"1.1.1.1 sick"});
  const auto beat = s.core.beat(beating, nullptr, start + 1s);
  REQUIRE(beat);
  CHECK(beat->known);
  CHECK(s.shown() == texts{"1.1.1.1"});
  const auto said = s.last();
  REQUIRE(said);
  CHECK(said->from.owner == s.shared.self);
  CHECK_FALSE(said->from.taken);
  s.core.expire(start + 40s);
  CHECK(s.shown().empty());
}
