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

inline constexpr auto deadline = 20s;

/// A node over stores in memory, on real threads.
struct whole_node {
  storage::memory_log_store logs;
  storage::memory_state_store tables;
  /// What the node made durable about its cluster.
  std::mutex memory_mutex;
  std::optional<pb::MembershipRecord> memory;
  std::optional<runtime::node> node;

  explicit whole_node(runtime::housekeeper_settings housekeeping = {}) {
    start(housekeeping);
  }
  /// A member of a cluster; to be begun.
  whole_node(node_id self, runtime::cluster_options cluster) {
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
    const auto replica = node->replica(holder(key));
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
