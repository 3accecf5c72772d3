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

} // namespace

TEST_CASE("cluster: the first to enter founds it, each enters once") {
  model_fixture m;
  const auto record = [&] {
    return model::cluster_table::get(m.state, model::cluster_record_key);
  };
  CHECK_FALSE(record());
  CHECK_FALSE(m.apply(enter(7, "a")).result.existed);
  m.apply(enter(8, "b"));
  CHECK(m.apply(enter(7, "a")).result.existed);
  REQUIRE(record());
  CHECK(record()->id() == "cluster of a");
  REQUIRE(record()->members_size() == 2);
  CHECK(record()->members(1).incarnation() == "b");
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
}
