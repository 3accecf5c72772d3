// Namespaces, services, persistent instances and overrides.
#include "tests/unit/core/model_fixture.hpp"

using namespace muster;
using namespace muster::test;
using model::namespace_changed;
using model::service_changed;

namespace {

pb::ServiceKey service_name() {
  pb::ServiceKey key;
  key.set_namespace_id("public");
  key.set_group("g");
  key.set_service("s");
  return key;
}

const service_key core_key{"public", "g", "s"};

pb::Command space(pb::NamespacePut::Mode mode, const std::string& id,
                  const std::string& name = "n") {
  pb::Command command;
  auto& c = *command.mutable_namespace_put();
  c.set_id(id);
  c.set_name(name);
  c.set_mode(mode);
  return command;
}

pb::Command service_put(pb::ServicePut::Mode mode, bool ephemeral = false) {
  pb::Command command;
  auto& c = *command.mutable_service_put();
  *c.mutable_key() = service_name();
  c.set_mode(mode);
  c.mutable_record()->set_ephemeral(ephemeral);
  c.mutable_record()->set_by_hand(true);
  return command;
}

pb::Command service_remove() {
  pb::Command command;
  *command.mutable_service_remove()->mutable_key() = service_name();
  return command;
}

pb::Command instance_put(const std::string& ip, std::uint32_t port,
                         const std::string& cluster = "DEFAULT") {
  pb::Command command;
  auto& c = *command.mutable_instance_put();
  *c.mutable_key() = service_name();
  c.mutable_record()->set_ip(ip);
  c.mutable_record()->set_port(port);
  c.mutable_record()->set_cluster(cluster);
  return command;
}

pb::Command instance_remove(const std::string& ip, std::uint32_t port) {
  pb::Command command;
  auto& c = *command.mutable_instance_remove();
  *c.mutable_key() = service_name();
  c.set_ip(ip);
  c.set_port(port);
  return command;
}

pb::Command override_put() {
  pb::Command command;
  auto& c = *command.mutable_override_put();
  *c.mutable_key() = service_name();
  c.set_ip("1.1.1.1");
  c.set_port(80);
  c.set_cluster("DEFAULT");
  return command;
}

using text_map = std::map<std::string, std::string>;

template <class Map>
text_map sorted(const Map& map) {
  return text_map(map.begin(), map.end());
}

} // namespace

TEST_CASE_FIXTURE(model_fixture, "namespace: create, update, remove") {
  using put = pb::NamespacePut;
  const auto made = apply(space(put::CREATE, "dev"));
  CHECK(made.result.code == errc::ok);
  CHECK(only<namespace_changed>(made).id == "dev");
  CHECK(apply(space(put::CREATE, "dev")).result.code == errc::already_exists);
  CHECK(apply(space(put::CREATE, "public")).result.code
        == errc::already_exists);
  now = 2'000;
  CHECK(apply(space(put::UPDATE, "dev", "new")).result.existed);
  auto rows = model::namespaces(state);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].first == "dev");
  CHECK(rows[0].second.name() == "new");
  CHECK(rows[0].second.create_time_ms() == 1'000);

  for (const auto* id : {"unknown", "public"}) {
    const auto done = apply(space(put::UPDATE, id));
    CHECK(done.result.code == errc::ok);
    CHECK_FALSE(done.result.existed);
    CHECK(done.events.empty());
  }
  pb::Command remove;
  remove.mutable_namespace_remove()->set_id("dev");
  CHECK(only<namespace_changed>(apply(remove)).removed);
  const auto again = apply(remove);
  CHECK(again.result.code == errc::ok);
  CHECK_FALSE(again.result.existed);
  CHECK(again.events.empty());
  CHECK(state.rows.empty());
}

TEST_CASE_FIXTURE(model_fixture, "service: create, update, upsert, remove") {
  using put = pb::ServicePut;
  const auto before = state.rows;
  CHECK(apply(service_put(put::UPDATE)).result.code == errc::not_found);
  CHECK(apply(service_remove()).result.code == errc::not_found);
  CHECK(state.rows == before);
  const auto made = apply(service_put(put::CREATE));
  CHECK(made.result.code == errc::ok);
  CHECK(only<service_changed>(made).key == core_key);
  CHECK(apply(service_put(put::CREATE)).result.code == errc::already_exists);

  auto update = service_put(put::UPDATE, true);
  update.mutable_service_put()->mutable_record()->set_protect_threshold(0.5);
  CHECK(apply(update).result.existed);
  const auto record = model::service(state, core_key).value();
  CHECK(record.protect_threshold() == 0.5);
  CHECK_FALSE(record.ephemeral()); // the kind was fixed before
  CHECK(record.revision() == last);

  CHECK(only<service_changed>(apply(service_remove())).removed);
  CHECK(apply(service_put(put::UPSERT, true)).result.code == errc::ok);
  CHECK(model::service(state, core_key).value().ephemeral());
}

TEST_CASE_FIXTURE(model_fixture, "service: clusters are laid over by name") {
  const auto cluster = [](pb::ServicePut::Mode mode, const char* name,
                          std::uint32_t port) {
    auto command = service_put(mode);
    auto& record = *command.mutable_service_put()->mutable_record();
    (*record.mutable_clusters())[name].set_check_port(port);
    return command;
  };
  const auto port_of = [this](const char* name) {
    return model::service(state, core_key)
        .value()
        .clusters()
        .at(name)
        .check_port();
  };
  apply(cluster(pb::ServicePut::MERGE_CLUSTERS, "a", 1));
  CHECK_FALSE(model::service(state, core_key).value().by_hand());
  apply(service_put(pb::ServicePut::UPSERT));
  CHECK(model::service(state, core_key).value().by_hand());
  apply(cluster(pb::ServicePut::MERGE_CLUSTERS, "b", 2));
  apply(cluster(pb::ServicePut::UPDATE, "a", 3));
  CHECK(port_of("a") == 3);
  CHECK(port_of("b") == 2);
  CHECK(model::service(state, core_key).value().by_hand());
}

TEST_CASE_FIXTURE(model_fixture, "instance: makes its service, keyed ip:port") {
  const auto made = apply(instance_put("1.1.1.1", 80));
  CHECK(made.result.code == errc::ok);
  CHECK_FALSE(made.result.existed);
  CHECK(only<service_changed>(made).key == core_key);
  const auto definition = model::service(state, core_key).value();
  CHECK_FALSE(definition.ephemeral());
  CHECK_FALSE(definition.by_hand());
  apply(instance_put("1.1.1.1", 81));
  apply(instance_put("1.1.1.10", 80));
  // The same ip and port in another cluster moves there.
  CHECK(apply(instance_put("1.1.1.1", 80, "other")).result.existed);
  auto rows = model::instances(state, core_key);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].cluster() == "other");
  CHECK(rows[0].revision() == last);

  CHECK(apply(service_remove()).result.code == errc::failed_precondition);
  CHECK(apply(instance_remove("1.1.1.1", 80)).result.existed);
  const auto none = apply(instance_remove("1.1.1.1", 80));
  CHECK(none.result.code == errc::ok);
  CHECK_FALSE(none.result.existed);
  CHECK(none.events.empty());
  apply(instance_remove("1.1.1.1", 81));
  apply(instance_remove("1.1.1.10", 80));
  CHECK(apply(service_remove()).result.code == errc::ok);
  CHECK(state.rows.empty());
}

TEST_CASE_FIXTURE(model_fixture, "instance: an ephemeral service refuses it") {
  apply(service_put(pb::ServicePut::CREATE, true));
  const auto before = state.rows;
  const auto refused = apply(instance_put("1.1.1.1", 80));
  CHECK(refused.result.code == errc::failed_precondition);
  CHECK(refused.result.message
        == "Current service g@@s is ephemeral service, can't register "
           "persistent instance.");
  CHECK(refused.events.empty());
  CHECK(state.rows == before);
}

TEST_CASE_FIXTURE(model_fixture,
                  "override: given fields over the stored ones") {
  auto first = override_put();
  first.mutable_override_put()->mutable_record()->set_weight(2.5);
  auto& map =
      *first.mutable_override_put()->mutable_record()->mutable_metadata();
  map["a"] = "1";
  map["b"] = "2";
  CHECK_FALSE(apply(first).result.existed);
  const auto stored = [this] {
    const auto rows = model::overrides(state, core_key);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].ip == "1.1.1.1");
    CHECK(rows[0].port == 80);
    CHECK(rows[0].cluster == "DEFAULT");
    return rows[0].values;
  };
  struct row {
    const char* name;
    pb::OverridePut::Metadata mode;
    text_map given;
    text_map after;
  };
  for (const auto& r : std::vector<row>{
           {"keep",
            pb::OverridePut::KEEP,
            {{"c", "3"}},
            {{"a", "1"}, {"b", "2"}}},
           {"merge",
            pb::OverridePut::MERGE,
            {{"b", "4"}, {"c", "3"}},
            {{"a", "1"}, {"b", "4"}, {"c", "3"}}},
           {"remove keys",
            pb::OverridePut::REMOVE_KEYS,
            {{"a", ""}, {"x", ""}},
            {{"b", "4"}, {"c", "3"}}},
           {"replace", pb::OverridePut::REPLACE, {{"d", "5"}}, {{"d", "5"}}},
       }) {
    CAPTURE(r.name);
    auto command = override_put();
    auto& c = *command.mutable_override_put();
    c.mutable_record()->set_enabled(false);
    c.mutable_record()->mutable_metadata()->insert(r.given.begin(),
                                                   r.given.end());
    c.set_metadata(r.mode);
    CHECK(apply(command).result.existed);
    CHECK(sorted(stored().metadata()) == r.after);
    CHECK(stored().weight() == 2.5);
    CHECK(stored().has_enabled());
    CHECK_FALSE(stored().enabled());
  }
}

TEST_CASE_FIXTURE(model_fixture,
                  "override: removed alone or with the service") {
  apply(override_put());
  pb::Command remove;
  auto& c = *remove.mutable_override_remove();
  *c.mutable_key() = service_name();
  c.set_ip("1.1.1.1");
  c.set_port(80);
  c.set_cluster("DEFAULT");
  CHECK(only<service_changed>(apply(remove)).key == core_key);
  CHECK_FALSE(apply(remove).result.existed);
  CHECK(state.rows.empty());
  apply(service_put(pb::ServicePut::CREATE));
  apply(override_put());
  apply(service_remove());
  CHECK(state.rows.empty());
}

TEST_CASE_FIXTURE(model_fixture, "service: listed by namespace") {
  apply(service_put(pb::ServicePut::CREATE));
  CHECK(model::stored_services(state, "public")
        == std::vector<service_key>{core_key});
  CHECK(model::stored_services(state, "publi").empty());
}
