#pragma once

#include <chrono>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "actors/api/node.hpp"
#include "protocols/common/io_pool.hpp"
#include "protocols/common/route.hpp"
#include "protocols/nacos/http/parts.hpp"
#include "protocols/nacos/http/topology.hpp"
#include "tests/support/map_state.hpp"

/// A node for handler tests: the real state machine over tables in memory, and
/// small actors around it; services keep what is published, without expiry.
namespace muster::test {

/// What the actors share; guarded by `mutex`.
struct memory_state {
  std::mutex mutex;
  map_state tables;
  std::uint64_t index = 0;
  std::vector<pb::Command> proposed;
  api::config_index configs{1 << 20};
  api::service_directory services;
  api::config_group_actor group;
  std::vector<caf::actor> spawned; ///< services
  std::size_t watched = 0;
  std::size_t unwatched = 0;
  /// Watches of services that are open now.
  std::size_t service_watches = 0;
};

class memory_node final : public api::node {
public:
  memory_node();
  ~memory_node() override;

  caf::actor_system& system() override { return system_; }
  const clock& time() const override { return system_clock(); }
  const api::node_facts& facts() const override { return facts_; }
  api::node_state state() const override { return state_now; }
  api::member_list_ptr members() const override {
    return cluster::alone({.id = node_id{1}, .host = "127.0.0.1"});
  }
  const api::config_index& configs() const override { return shared->configs; }
  const api::service_directory& services() const override {
    return shared->services;
  }
  api::replica_actor replica(partition_id) const override { return replica_; }
  api::state_actor tables(partition_id) const override { return tables_; }
  result<void> set_log_level(std::string_view name) override {
    if (name == "loud")
      return fail(errc::invalid_argument, "log level 'loud'");
    log_level = name;
    return {};
  }
  api::namespaces_actor namespaces() const override { return namespaces_; }
  result<api::connection_actor>
  connect(api::client_info, std::shared_ptr<api::push_sink>) override {
    return fail(errc::unavailable, "no streams here");
  }

  std::shared_ptr<memory_state> shared = std::make_shared<memory_state>();
  api::node_state state_now = api::node_state::serving;
  std::string log_level;

private:
  caf::actor_system_config config_;
  caf::actor_system system_{config_};
  api::node_facts facts_;
  api::replica_actor replica_;
  api::state_actor tables_;
  api::namespaces_actor namespaces_;
};

/// A request with its own memory.
struct call {
  http::method verb = http::method::get;
  std::string target; ///< below the context path, with query
  std::string form = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

/// A client that can be made to go away from another thread's view of it.
class test_link final : public http::client_link {
public:
  void leave() { set_gone(); }

private:
  void watch_close() override {}
};

/// Runs rows of Nacos' table on a thread with a gateway, as the listener does.
class caller {
public:
  explicit caller(memory_node& node);
  ~caller();

  /// The answer; a request that no row takes fails the test.
  http::response operator()(const call& what);
  /// Starts a call; the link ends it early.
  std::future<http::response> start(const call& what,
                                    std::shared_ptr<test_link> link);
  /// Runs on the thread that the calls run on.
  void post(std::function<void()> what);
  /// Returns when all that calls have posted to that thread is done.
  void settle();

  common::io_pool& pool() noexcept { return pool_; }
  /// What the calls find beside the node.
  std::shared_ptr<const common::product_parts> parts;

private:
  memory_node& node_;
  common::io_pool pool_;
};

/// The first header of that name, or "(absent)".
std::string header_of(const http::response& r, std::string_view name);
/// The body, also of a rendered response.
std::string body_of(const http::response& r);

} // namespace muster::test
