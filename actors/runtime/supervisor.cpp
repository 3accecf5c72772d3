#include "actors/runtime/supervisor.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <unordered_set>
#include <utility>

#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/base/backoff.hpp"
#include "actors/runtime/balancer.hpp"
#include "actors/runtime/membership.hpp"
#include "actors/runtime/peer.hpp"
#include "actors/runtime/placement.hpp"

namespace muster::runtime {

namespace {

/// To oneself: start child number `index` now.
struct start_child {
  std::size_t index = 0;
};
/// To oneself: those who wait may start now.
struct start_waiting {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::start_child)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::start_waiting)

namespace muster::runtime {

namespace {

class supervisor_state {
public:
  static inline const char* name = "supervisor";

  explicit supervisor_state(caf::event_based_actor* self) : self_(self) {}

  void start(supervisor_parts parts);
  void start_child_now(std::size_t index);
  void start_all_waiting();
  void on_down(const caf::down_msg& m);
  void on_ready(const replica_ready& m);
  void adopt(const adopt_connection& m);
  void stop();

private:
  struct child {
    const char* what = "";
    /// Spawns it and stores its handle; null if something it needs is missing.
    std::function<caf::actor()> spawn;
    /// Takes the handle back.
    std::function<void()> forget;
    backoff delay;
    caf::actor running;
    bool waits = false;
  };

  /// A child whose handle is in `cell` while it runs.
  template <class Handle, class Spawn>
  void add(const char* what, api::handle_cell<Handle>& cell, Spawn spawn);
  void add_cluster();
  void add_worker(std::size_t index);
  void add_replica(partition_id p);

  caf::event_based_actor* self_;
  std::optional<supervisor_parts> parts_;
  std::vector<child> children_;
  std::set<partition_id> ready_;
  std::unordered_set<caf::actor_addr> connections_;
};

/// With whom a group begins; null: not known yet.
std::shared_ptr<const raft::configuration>
first_members(const supervisor_parts& parts) {
  if (parts.cluster)
    return parts.context.first_members.load();
  return std::make_shared<const raft::configuration>(
      raft::configuration{{parts.self}, {}, {}});
}

template <class Handle, class Spawn>
void supervisor_state::add(const char* what, api::handle_cell<Handle>& cell,
                           Spawn spawn) {
  children_.push_back({what,
                       [&cell, spawn] {
                         auto h = spawn();
                         if (!h)
                           return caf::actor{};
                         cell.store(h);
                         return caf::actor_cast<caf::actor>(h);
                       },
                       [&cell] { cell.store({}); },
                       {},
                       {}});
}

void supervisor_state::add_cluster() {
  auto& h = parts_->handles;
  auto& system = self_->system();
  add("membership", h.membership, [this, &h, &system] {
    return spawn_membership(system, {.context = parts_->context,
                                     .options = *parts_->cluster,
                                     .own_facts = parts_->own_facts,
                                     .gate = [&h] { return h.gate.load(); },
                                     .groups_may_begin =
                                         [self = caf::actor{self_}] {
                                           caf::anon_send(self,
                                                          start_waiting{});
                                         }});
  });
  add("gate", h.gate,
      [this, &system] { return spawn_gate(system, peers_of(*parts_)); });
  const auto snapshots = [this] {
    return snapshot_parts{parts_->tables, parts_->handles, parts_->self,
                          parts_->context.time, parts_->cluster->snapshots};
  };
  add("snapshot_sender", h.snapshot_sender, [&system, snapshots] {
    return spawn_snapshot_sender(system, snapshots());
  });
  add("snapshot_receiver", h.snapshot_receiver, [&system, snapshots] {
    return spawn_snapshot_receiver(system, snapshots());
  });
  add("placement", h.placement, [this, &h, &system] {
    return spawn_placement(system, {.context = parts_->context,
                                    .handles = h,
                                    .self = parts_->self,
                                    .partitions = parts_->partitions,
                                    .settings = parts_->cluster->placement});
  });
}

void supervisor_state::add_worker(std::size_t index) {
  add("state_worker", parts_->handles.workers[index], [this] {
    auto& context = parts_->context;
    return spawn_state_worker(
        self_->system(),
        {parts_->logs, parts_->tables, context.configs, parts_->partitions,
         [&context](const model::event& e) { route_event(context, e); }});
  });
}

void supervisor_state::add_replica(partition_id p) {
  add("replica", parts_->handles.replicas[p.value],
      [this, p]() -> member_actor {
        auto& h = parts_->handles;
        auto writer = h.writer.load();
        auto worker = h.worker_of(p);
        auto gate = h.gate.load();
        const auto members = first_members(*parts_);
        if (!writer || !worker || !members || (parts_->cluster && !gate))
          return {};
        return spawn_replica(
            self_->system(),
            {.group = p,
             .self = parts_->self,
             .members = *members,
             .writer = std::move(writer),
             .worker = std::move(worker),
             .gate = std::move(gate),
             .sender = [&h] { return h.snapshot_sender.load(); },
             .time = parts_->context.time,
             .figures = h.figures.partitions[p.value],
             .times =
                 parts_->cluster ? parts_->cluster->times : replica_times{},
             .starter = caf::actor{self_}});
      });
}

void supervisor_state::start(supervisor_parts parts) {
  parts_.emplace(std::move(parts));
  auto& h = parts_->handles;
  add("log_writer", h.writer, [this, &h] {
    return spawn_log_writer(self_->system(), parts_->logs, h.figures);
  });
  if (parts_->cluster)
    add_cluster();
  for (std::size_t i = 0; i < h.workers.size(); ++i)
    add_worker(i);
  for (std::uint64_t p = 0; p <= parts_->partitions; ++p)
    add_replica(partition_id{p});
  add("namespaces", h.namespaces,
      [this] { return spawn_namespaces(self_->system(), parts_->context); });
  add("balancer", h.balancer, [this, &h] {
    return spawn_balancer(self_->system(), {parts_->context, h});
  });
  if (parts_->cluster)
    add("distro", h.distro, [this, &h] {
      return spawn_distro(
          self_->system(),
          {parts_->context, h, *parts_->context.distro, parts_->distro_ready});
    });
  for (std::size_t i = 0; i < children_.size(); ++i)
    start_child_now(i);
}

void supervisor_state::start_child_now(std::size_t index) {
  auto& c = children_[index];
  if (c.running)
    return;
  c.running = c.spawn();
  c.waits = !c.running;
  if (c.waits)
    return;
  c.delay.started(parts_->context.time.steady());
  self_->monitor(c.running);
  // Whoever waited for this one may start now.
  start_all_waiting();
}

void supervisor_state::start_all_waiting() {
  for (std::size_t i = 0; i < children_.size(); ++i)
    if (children_[i].waits)
      self_->send(self_, start_child{i});
}

void supervisor_state::on_down(const caf::down_msg& m) {
  if (connections_.erase(m.source) > 0)
    return;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    auto& c = children_[i];
    if (!c.running || c.running.address() != m.source)
      continue;
    c.running = nullptr;
    c.forget();
    const auto wait = c.delay.died(parts_->context.time.steady());
    spdlog::error("actor {} ended ({}), starting it anew in {} ms", c.what,
                  caf::to_string(m.reason), wait.count());
    self_->delayed_send(self_, wait, start_child{i});
    return;
  }
}

void supervisor_state::on_ready(const replica_ready& m) {
  const bool fresh = ready_.insert(m.group).second;
  if (fresh && ready_.size() == parts_->partitions + 1)
    parts_->replicas_ready();
}

void supervisor_state::adopt(const adopt_connection& m) {
  if (connections_.insert(m.connection.address()).second)
    self_->monitor(m.connection);
}

void supervisor_state::stop() {
  for (auto& c : children_) {
    c.forget();
    if (c.running)
      self_->send_exit(c.running, caf::exit_reason::user_shutdown);
  }
  for (const auto& connection : connections_)
    if (const auto alive = caf::actor_cast<caf::actor>(connection))
      self_->send_exit(alive, caf::exit_reason::user_shutdown);
}

using pointer = caf::stateful_actor<supervisor_state>*;

caf::behavior supervisor(pointer self, const supervisor_parts& parts) {
  auto& s = self->state;
  self->set_down_handler([&s](const caf::down_msg& m) { s.on_down(m); });
  self->set_exit_handler([self, &s](const caf::exit_msg& m) {
    s.stop();
    self->quit(m.reason);
  });
  s.start(parts);
  return {
      [&s](const start_child& m) { s.start_child_now(m.index); },
      [&s](start_waiting) { s.start_all_waiting(); },
      [&s](const replica_ready& m) { s.on_ready(m); },
      [&s](const adopt_connection& m) { s.adopt(m); },
  };
}

} // namespace

caf::actor spawn_supervisor(caf::actor_system& system, supervisor_parts parts) {
  return system.spawn(supervisor, std::move(parts));
}

} // namespace muster::runtime
