#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

#include "actors/api/errors.hpp"
#include "actors/core/model/queries.hpp"
#include "actors/runtime/context.hpp"
#include "tests/support/map_state.hpp"

/// The naming actors on CAF's test scheduler: no threads, no waiting. Time goes
/// on only by `pass`. Partition 0 is a table in memory.
namespace muster::test {

class hand_clock final : public clock {
public:
  wall_time wall() const override {
    return wall_time{milliseconds{1'700'000'000'000} + gone};
  }
  steady_time steady() const override {
    return steady_time{milliseconds{1'000'000} + gone};
  }
  milliseconds gone{0};
};

/// What a test can do to partition 0.
struct meta_state {
  map_state tables;
  log_index applied{1};
  /// Answer loads only when told to; `held` counts those that wait.
  bool hold_loads = false;
  std::vector<std::function<void()>> held;
  bool refuse_loads = false;
  std::size_t loads = 0;
  std::function<void(const model::event&)> route;
};

inline api::service_state load(const meta_state& meta, const service_key& key) {
  api::service_state out;
  out.index = meta.applied;
  out.record = model::service(meta.tables, key);
  out.instances = model::instances(meta.tables, key);
  for (auto& o : model::overrides(meta.tables, key))
    out.overrides.push_back({o.ip, o.port, o.cluster, o.values});
  return out;
}

inline api::state_actor::behavior_type run_tables(api::state_actor::pointer self,
                                                  meta_state* meta) {
  const auto absent = [] {
    return api::to_caf({errc::unimplemented, "not part of this test"});
  };
  return {
    [absent](const api::load_config&) -> caf::result<api::config_loaded> {
      return absent();
    },
    [absent](const api::list_config_names&) -> caf::result<api::config_names> {
      return absent();
    },
    [self, meta](const api::load_service& m) -> caf::result<api::service_state> {
      ++meta->loads;
      if (meta->refuse_loads)
        return api::to_caf({errc::unavailable, "refused by the test"});
      if (!meta->hold_loads)
        return load(*meta, m.key);
      auto promise = self->make_response_promise<api::service_state>();
      meta->held.push_back([meta, promise, key = m.key]() mutable {
        promise.deliver(load(*meta, key));
      });
      return promise;
    },
    [meta](const api::list_stored_services& m) {
      return api::service_names{model::stored_services(meta->tables, m.space)};
    },
    [absent](const api::list_namespaces&) -> caf::result<api::namespace_list> {
      return absent();
    },
    [absent](const api::count_configs&) -> caf::result<api::config_counts> {
      return absent();
    },
    [absent](const api::list_history&) -> caf::result<api::history_rows> {
      return absent();
    },
    [](const api::load_cluster&) { return api::cluster_loaded{}; },
  };
}

inline api::replica_actor::behavior_type
run_replica(api::replica_actor::pointer, meta_state* meta) {
  return {
    [meta](const api::propose& m) {
      meta->applied = meta->applied.next();
      auto done = model::apply(*m.command, partition_id{0}, meta->applied,
                               meta->tables);
      for (const auto& e : done.events)
        meta->route(e);
      return done.result;
    },
    [meta](const api::read_barrier&) { return meta->applied; },
  };
}

struct told {
  std::vector<api::service_fired> services;
  std::vector<api::config_fired> configs;
  std::vector<api::name_fired> names;
  std::size_t downs = 0;
};

/// Records what it is told.
inline caf::behavior run_watcher(caf::event_based_actor* self, told* out) {
  self->set_down_handler([out](const caf::down_msg&) { ++out->downs; });
  return {
    [out](const api::service_fired& m) { out->services.push_back(m); },
    [out](const api::config_fired& m) { out->configs.push_back(m); },
    [out](const api::name_fired& m) { out->names.push_back(m); },
    [self](const caf::actor& whom) { self->monitor(whom); },
  };
}

struct recording_sink final : public api::push_sink {
  struct pushed {
    api::push_item item;
    std::uint64_t id;
  };
  bool push(const api::push_item& item, std::uint64_t id) override {
    if (full)
      return false;
    pushes.push_back({item, id});
    return true;
  }
  void close(std::string_view reason) override { closed = reason; }

  std::vector<pushed> pushes;
  bool full = false;
  std::optional<std::string> closed;
};

struct test_config : caf::actor_system_config {
  test_config() {
    set("scheduler.policy", caf::atom("testing"));
    set("logger.verbosity", caf::atom("quiet"));
  }
};

class naming_node {
public:
  explicit naming_node(const runtime::naming_settings& settings = {})
    : context{time,
              settings,
              configs,
              services,
              [this](partition_id) { return replica; },
              [this](partition_id) { return tables; },
              [this] { return namespaces; },
              [this] { ++ready; }} {
    meta.route = [this](const model::event& e) {
      runtime::route_event(context, e);
    };
  }
  ~naming_node() { stop(); }

  void start() {
    tables = system.spawn(run_tables, &meta);
    replica = system.spawn(run_replica, &meta);
    namespaces = runtime::spawn_namespaces(system, context);
    run();
  }

  /// Ends all actors, as the end of the process would.
  void stop() {
    for (const auto& a : extra)
      kill(a);
    kill(namespaces);
    run();
    kill(tables);
    kill(replica);
    meta.held.clear();
    namespaces = api::namespaces_actor{};
    tables = api::state_actor{};
    replica = api::replica_actor{};
    extra.clear();
    run();
  }

  void run() { scheduler().run(); }

  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }

  /// Lets time go by, in steps as small as the clocks' period.
  void pass(milliseconds t) {
    constexpr milliseconds step{50};
    for (; t > milliseconds{0}; t -= step) {
      time.gone += step;
      scheduler().advance_time(step);
      run();
    }
  }

  template <class Handle>
  static void kill(const Handle& actor) {
    caf::anon_send_exit(actor, caf::exit_reason::kill);
  }

  template <class Answer, class Handle, class M>
  result<Answer> ask(const Handle& to, const M& message) {
    auto pending = asker->request(to, caf::infinite, message);
    run();
    result<Answer> out = fail(errc::unknown, "no answer");
    pending.receive([&](const Answer& a) { out = a; },
                    [&](const caf::error& e) {
                      out = std::unexpected(api::from_caf(e));
                    });
    return out;
  }

  std::shared_ptr<api::service_slot> open(const service_key& key) {
    const auto opened
      = ask<api::service_opened>(namespaces, api::open_service{{}, key});
    REQUIRE(opened);
    return opened->slot;
  }

  caf::actor watcher(told& out) {
    extra.push_back(system.spawn(run_watcher, &out));
    run();
    return extra.back();
  }

  api::connection_actor connect(const std::string& id,
                                std::shared_ptr<api::push_sink> sink) {
    api::client_info info;
    info.connection_id = id;
    auto c = runtime::spawn_connection(system, context, std::move(info),
                                       std::move(sink));
    extra.push_back(caf::actor_cast<caf::actor>(c));
    run();
    return c;
  }

  hand_clock time;
  meta_state meta;
  api::config_index configs{1U << 20};
  api::service_directory services;
  std::size_t ready = 0;
  api::replica_actor replica;
  api::state_actor tables;
  api::namespaces_actor namespaces;
  runtime::node_context context;
  test_config config;
  caf::actor_system system{config};
  caf::scoped_actor asker{system};
  std::vector<caf::actor> extra;
};

// -- messages -----------------------------------------------------------------

inline naming::instance_ptr at(std::string ip, std::uint16_t port = 80) {
  naming::instance i;
  i.ip = std::move(ip);
  i.port = port;
  return std::make_shared<const naming::instance>(std::move(i));
}

inline std::string beating(const std::string& ip) { return ip + ":80#true"; }

inline api::publish_instances publish(const std::string& ip) {
  return {{}, beating(ip), nullptr, {at(ip)}};
}

inline std::vector<std::string> ips(const naming::service_view_ptr& view) {
  std::vector<std::string> out;
  for (const auto& h : view->hosts)
    out.push_back(h->shown->ip + (h->shown->healthy ? "" : " sick"));
  return out;
}

inline std::shared_ptr<pb::Command> command_for(
  const service_key& key, pb::ServiceKey* (*body)(pb::Command&)) {
  auto c = std::make_shared<pb::Command>();
  c->set_time_ms(1);
  auto* k = body(*c);
  k->set_namespace_id(key.space);
  k->set_group(key.group);
  k->set_service(key.service);
  return c;
}

inline std::shared_ptr<pb::Command> put_instance(const service_key& key,
                                                 const std::string& ip) {
  auto c = command_for(key, [](pb::Command& x) {
    return x.mutable_instance_put()->mutable_key();
  });
  auto& record = *c->mutable_instance_put()->mutable_record();
  record.set_ip(ip);
  record.set_port(80);
  record.set_weight(1);
  record.set_healthy(true);
  record.set_enabled(true);
  record.set_cluster("DEFAULT");
  return c;
}

} // namespace muster::test
