#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <caf/scoped_actor.hpp>
#include <doctest/doctest.h>

#include "actors/runtime/node.hpp"
#include "storage/memory/memory_store.hpp"
#include "tests/support/poll.hpp"

namespace muster::test {

using namespace std::chrono_literals;

inline constexpr auto deadline = 20s * slowness;

/// What outlives a node.
struct whole_stores {
  virtual ~whole_stores() = default;
  virtual raft::log_store& logs() = 0;
  virtual raft::state_store& tables() = 0;
};

struct memory_stores final : whole_stores {
  raft::log_store& logs() override { return all_logs; }
  raft::state_store& tables() override { return all_tables; }
  storage::memory_log_store all_logs;
  storage::memory_state_store all_tables;
};

/// A node over stores in memory, if not told otherwise, on real threads.
struct whole_node {
  std::unique_ptr<whole_stores> stores;
  raft::log_store& logs{stores->logs()};
  raft::state_store& tables{stores->tables()};
  /// What the node made durable about its cluster.
  std::mutex memory_mutex;
  std::optional<pb::MembershipRecord> memory;
  std::optional<runtime::node> node;

  explicit whole_node(runtime::housekeeper_settings housekeeping = {})
    : stores(std::make_unique<memory_stores>()) {
    start(housekeeping);
  }
  /// A member of a cluster; to be begun.
  whole_node(node_id self, runtime::cluster_options cluster,
             std::unique_ptr<whole_stores> kept
             = std::make_unique<memory_stores>())
    : stores(std::move(kept)) {
    options.self = self;
    options.cluster = std::move(cluster);
    options.cluster->remember = [this](const pb::MembershipRecord& record) {
      const std::lock_guard lock(memory_mutex);
      memory = record;
      return result<void>{};
    };
  }
  std::optional<pb::MembershipRecord> remembered() {
    const std::lock_guard lock(memory_mutex);
    return memory;
  }

  void begin() {
    options.facts.partitions = 4;
    node.emplace(options, logs, tables, system_clock());
    const auto started = node->start();
    REQUIRE_MESSAGE(started.has_value(), started.error().message);
  }

  void wait_serving() {
    wait([&] { return node->state() == api::node_state::serving; });
  }

  void start(runtime::housekeeper_settings housekeeping = {}) {
    options.housekeeping = housekeeping;
    begin();
    wait_serving();
  }

  runtime::node_options options;

  /// What a node shows outside (its state, its tables) tells nobody when it
  /// changes, so it is polled. Fails the test at the deadline.
  template <class F>
  static void wait(F&& condition) {
    REQUIRE(poll_until(std::forward<F>(condition), deadline));
  }

  partition_id holder(const config_key& key) const {
    return model::config_partition(key.space, key.group, 4);
  }

  /// One publish; the outcome, or the error of the attempt.
  result<model::outcome> publish(caf::scoped_actor& self, const config_key& key,
                                 const std::string& content) {
    auto command = std::make_shared<pb::Command>();
    command->set_time_ms(1);
    auto& body = *command->mutable_config_publish();
    body.mutable_key()->set_namespace_id(key.space);
    body.mutable_key()->set_group(key.group);
    body.mutable_key()->set_data_id(key.data_id);
    body.set_content(content);
    body.set_md5("md5 of " + content);
    body.set_type("text");
    return propose(self, holder(key), std::move(command));
  }

  result<model::outcome> remove(caf::scoped_actor& self,
                                const config_key& key) {
    auto command = std::make_shared<pb::Command>();
    command->set_time_ms(1);
    auto& of = *command->mutable_config_remove()->mutable_key();
    of.set_namespace_id(key.space);
    of.set_group(key.group);
    of.set_data_id(key.data_id);
    return propose(self, holder(key), std::move(command));
  }

  result<model::outcome> propose(caf::scoped_actor& self, partition_id group,
                                 std::shared_ptr<const pb::Command> command) {
    const auto replica = node->replica(group);
    if (!replica)
      return fail(errc::unavailable, "no replica now");
    result<model::outcome> answer = fail(errc::unknown, "");
    self->request(replica, 10s, api::propose{{}, std::move(command)})
      .receive([&](model::outcome& o) { answer = std::move(o); },
               [&](const caf::error& e) {
                 answer = std::unexpected(api::from_caf(e));
               });
    return answer;
  }

  std::string content(caf::scoped_actor& self, const config_key& key) {
    if (auto known = node->configs().find(key.view()))
      return *known ? (*known)->formal->content : "";
    std::string found;
    wait([&] {
      const auto tables_now = node->tables(holder(key));
      if (!tables_now)
        return false;
      bool done = false;
      self->request(tables_now, 10s, api::load_config{{}, key})
        .receive(
          [&](const api::config_loaded& c) {
            found = c.snapshot ? c.snapshot->formal->content : "";
            done = true;
          },
          [](const caf::error&) {});
      return done;
    });
    return found;
  }
};

} // namespace muster::test
