// What the record of the members means to one node.
#include <doctest/doctest.h>

#include "actors/core/cluster/membership_core.hpp"
#include "actors/core/cluster/record.hpp"

using namespace muster;
using cluster::beginning;

namespace {

std::vector<node_id> ids(std::initializer_list<std::uint64_t> all) {
  std::vector<node_id> out;
  for (const auto each : all)
    out.emplace_back(each);
  return out;
}

pb::MembershipRecord record_with(std::uint64_t node, bool founder) {
  pb::MembershipRecord out;
  out.set_id("blue");
  for (const std::uint64_t each : {1, 2, 3})
    out.add_founders(each);
  auto& m = *out.add_members();
  m.set_node(node);
  m.set_founder(founder);
  m.mutable_address()->set_host("h");
  m.mutable_address()->set_http_port(8848);
  m.mutable_address()->set_cluster_port(9849);
  return out;
}

} // namespace

TEST_CASE(
    "beginning: a majority without a cluster founds one, once nobody else "
    "answers") {
  beginning b(node_id{1}, ids({1, 2, 3}));
  CHECK_FALSE(b.members());
  b.heard_of_none(node_id{9});
  CHECK_FALSE(b.members());
  b.heard_of_none(node_id{2});
  CHECK_FALSE(b.members());
  b.missed(node_id{3});
  REQUIRE(b.members());
  CHECK(b.members()->voters == ids({1, 2, 3}));
}

TEST_CASE(
    "beginning: two that lost their disks found nothing beside the third") {
  beginning b(node_id{1}, ids({1, 2, 3}));
  b.heard_of_none(node_id{2});
  b.kept_out();
  b.missed(node_id{3});
  CHECK_FALSE(b.members());
}

TEST_CASE("beginning: alone it founds at once") {
  CHECK(beginning(node_id{1}, ids({1})).members()->voters == ids({1}));
}

TEST_CASE("beginning: a founder begins with the founders, others with nobody") {
  beginning founder(node_id{1}, ids({1, 9}));
  founder.learned(record_with(1, true));
  CHECK(founder.members()->voters == ids({1, 2, 3}));
  beginning joins(node_id{1}, ids({1, 2}));
  joins.learned(record_with(1, false));
  REQUIRE(joins.members());
  CHECK(*joins.members() == raft::configuration{});
}

TEST_CASE("record: a member is who was added, with the directory it entered "
          "with") {
  auto record = record_with(4, false);
  CHECK(cluster::is_member(record, node_id{4}, "any"));
  CHECK_FALSE(cluster::is_member(record, node_id{1}, "any"));
  record.mutable_members(0)->set_incarnation("a");
  CHECK(cluster::is_member(record, node_id{4}, "a"));
  CHECK_FALSE(cluster::is_member(record, node_id{4}, "wiped"));
}

TEST_CASE("record: how a member is reached is the configuration's to say") {
  const auto record = record_with(4, false);
  CHECK(cluster::members_in(record, {}).at(0).cluster_port == 9849);
  const cluster::member known{
      .id = node_id{4}, .host = "other", .cluster_port = 1};
  const cluster::member gone{.id = node_id{5}, .host = "gone"};
  const auto members = cluster::members_in(record, {known, gone});
  REQUIRE(members.size() == 1);
  CHECK(members[0].host == "other");
  CHECK(members[0].cluster_port == 1);
}

TEST_CASE("membership: who stays keeps its state when others come and go") {
  const wall_time now{milliseconds{5}};
  const auto member = [](std::uint64_t id) {
    return cluster::member{.id = node_id{id}, .host = "h" + std::to_string(id)};
  };
  cluster::membership_core core(node_id{1}, {member(1), member(2)}, 3, now);
  cluster::member_facts facts;
  facts.boot = 7;
  facts.serving = true;
  core.heard(node_id{2}, facts, now);
  REQUIRE(core.take_change());
  core.set_members({member(2), member(1)}, now);
  CHECK_FALSE(core.take_change());
  core.set_members({member(1), member(2), member(3)}, now);
  const auto more = core.take_change();
  REQUIRE(more);
  CHECK(more->find(node_id{2})->state == cluster::member_state::up);
  CHECK(more->find(node_id{3})->state == cluster::member_state::starting);
  core.set_members({member(1), member(3)}, now);
  CHECK(core.take_change()->find(node_id{2}) == nullptr);
}
