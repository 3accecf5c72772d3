#pragma once

#include <memory>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "actors/api/node.hpp"

/// A node without storage or actors of its own, for front-end tests.
namespace muster::test {

class fake_node : public api::node {
public:
  caf::actor_system& system() override { return system_; }
  const clock& time() const override { return system_clock(); }
  const api::node_facts& facts() const override { return facts_; }
  api::node_state state() const override { return api::node_state::serving; }
  api::member_list_ptr members() const override {
    return cluster::alone({.id = node_id{1}, .host = "127.0.0.1"});
  }
  const api::config_index& configs() const override { return configs_; }
  const api::service_directory& services() const override { return services_; }
  api::replica_actor replica(partition_id) const override { return {}; }
  api::state_actor tables(partition_id) const override { return {}; }
  result<void> set_log_level(std::string_view) override {
    return fail(errc::failed_precondition, "a fake node has no log");
  }
  api::namespaces_actor namespaces() const override { return {}; }
  result<api::connection_actor>
  connect(api::client_info, std::shared_ptr<api::push_sink>) override {
    return fail(errc::unavailable, "a fake node takes no streams");
  }

private:
  caf::actor_system_config config_;
  caf::actor_system system_{config_};
  api::node_facts facts_;
  api::config_index configs_{1 << 20};
  api::service_directory services_;
};

} // namespace muster::test
