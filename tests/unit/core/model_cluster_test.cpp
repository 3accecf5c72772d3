// Who has been in the cluster, and with which data directory.
#include "actors/core/model/check.hpp"
#include "tests/unit/core/model_fixture.hpp"

using namespace muster;
using test::model_fixture;

namespace {

pb::Command enter(std::uint64_t node, const std::string& incarnation) {
  pb::Command command;
  auto& body = *command.mutable_enter_cluster();
  body.set_node(node);
  body.set_incarnation(incarnation);
  body.set_cluster("cluster of " + incarnation);
  return command;
}

pb::Command founding(const std::string& incarnation) {
  auto command = enter(7, incarnation);
  for (const std::uint64_t node : {7, 8}) {
    auto& founder = *command.mutable_enter_cluster()->add_founders();
    founder.set_node(node);
    founder.mutable_address()->set_host("host-" + std::to_string(node));
  }
  return command;
}

pb::Command add(std::uint64_t node) {
  pb::Command command;
  auto& member = *command.mutable_member_add()->mutable_member();
  member.set_node(node);
  auto& at = *member.mutable_address();
  at.set_host("host-" + std::to_string(node));
  at.set_http_port(1);
  at.set_sdk_port(2);
  at.set_cluster_port(3);
  return command;
}

pb::Command change(std::uint64_t node, pb::MemberChange::Kind kind) {
  pb::Command command;
  command.mutable_member_change()->set_node(node);
  command.mutable_member_change()->set_kind(kind);
  return command;
}

pb::MembershipRecord record_of(const model_fixture& m) {
  return model::cluster_table::get(m.state, model::cluster_record_key)
      .value_or(pb::MembershipRecord{});
}

} // namespace

TEST_CASE("cluster: the first to enter founds it, each enters once") {
  model_fixture m;
  CHECK_FALSE(m.apply(founding("a")).result.existed);
  CHECK(record_of(m).members(1).incarnation().empty());
  m.apply(enter(8, "b"));
  CHECK(m.apply(enter(8, "b")).result.existed);
  const auto record = record_of(m);
  CHECK(record.id() == "cluster of a");
  REQUIRE(record.members_size() == 2);
  CHECK(record.members(0).address().host() == "");
  CHECK(record.members(1).incarnation() == "b");
  CHECK(record.members(1).founder());
  CHECK(record.founders_size() == 2);
}

TEST_CASE("cluster: nobody enters who was not added") {
  model_fixture m;
  CHECK(m.apply(add(9)).result.code == errc::failed_precondition);
  m.apply(founding("a"));
  CHECK(m.apply(enter(9, "c")).result.code == errc::failed_precondition);
  CHECK(m.apply(add(9)).result.code == errc::ok);
  CHECK(m.apply(add(9)).result.existed);
  CHECK(m.apply(enter(9, "c")).result.code == errc::ok);
  const auto record = record_of(m);
  REQUIRE(record.members_size() == 3);
  CHECK_FALSE(record.members(2).founder());
  CHECK(record.founders_size() == 2);
  CHECK(record.version() > 0);
}

TEST_CASE("cluster: a member drains, leaves, is forgotten and comes anew") {
  model_fixture m;
  m.apply(founding("a"));
  m.apply(enter(8, "b"));
  const auto code = [&](const pb::Command& c) { return m.apply(c).result.code; };
  CHECK(code(change(9, pb::MemberChange::DRAIN)) == errc::not_found);
  CHECK(code(change(8, pb::MemberChange::FORGET))
        == errc::failed_precondition);
  CHECK(code(change(8, pb::MemberChange::DRAIN)) == errc::ok);
  CHECK(m.apply(change(8, pb::MemberChange::DRAIN)).result.existed);
  CHECK_MESSAGE(code(change(7, pb::MemberChange::DRAIN))
                    == errc::failed_precondition,
                "nobody would be left");
  CHECK(code(add(8)) == errc::ok);
  CHECK(record_of(m).members(1).state() == pb::MemberRecord::ACTIVE);
  CHECK(record_of(m).members(1).incarnation() == "b");

  CHECK(code(change(8, pb::MemberChange::REMOVE)) == errc::ok);
  CHECK(code(add(8)) == errc::failed_precondition);
  CHECK(code(change(7, pb::MemberChange::REMOVE))
        == errc::failed_precondition);
  CHECK(code(change(8, pb::MemberChange::FORGET)) == errc::ok);
  CHECK(record_of(m).members_size() == 1);
  CHECK(code(enter(8, "b")) == errc::failed_precondition);

  CHECK(code(add(8)) == errc::ok);
  CHECK(code(enter(8, "wiped")) == errc::ok);
  CHECK_FALSE(record_of(m).members(1).founder());
}

TEST_CASE("cluster: a member does not come back with another directory") {
  model_fixture m;
  m.apply(enter(7, "a"));
  const auto before =
      model::cluster_table::get(m.state, model::cluster_record_key);
  const auto refused = m.apply(enter(7, "wiped")).result;
  CHECK(refused.code == errc::failed_precondition);
  CHECK(to_bytes(*model::cluster_table::get(m.state, model::cluster_record_key))
        == to_bytes(*before));
}

TEST_CASE("cluster: what is missing is named before it is proposed") {
  for (const auto& [command, field] :
       {std::pair{enter(0, "a"), "node is missing"},
        std::pair{enter(1, ""), "incarnation is missing"}}) {
    const auto checked = model::check_command(command);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().message == field);
  }
  CHECK(model::check_command(enter(1, "a")));
  CHECK(model::check_command(add(1)));
  CHECK(model::check_command(change(1, pb::MemberChange::REMOVE)));
  auto bad = add(1);
  bad.mutable_member_add()->mutable_member()->mutable_address()->set_http_port(
      70000);
  CHECK_FALSE(model::check_command(bad));
  CHECK_FALSE(model::check_command(change(0, pb::MemberChange::REMOVE)));
}
