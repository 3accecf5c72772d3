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
#include "actors/core/raft/members.hpp"
#include "actors/runtime/balancer.hpp"
#include "actors/runtime/membership.hpp"
#include "actors/runtime/partition_proxy.hpp"
#include "actors/runtime/partition_server.hpp"
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
/// To oneself: go on with a replica that was given up.
struct end_replica {
  partition_id group;
};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::start_child)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::start_waiting)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::end_replica)

namespace muster::runtime {

namespace {

constexpr milliseconds store_timeout{30'000};

class supervisor_state {
public:
  static inline const char* name = "supervisor";

  explicit supervisor_state(caf::event_based_actor* self) : self_(self) {}

  void start(supervisor_parts parts);
  void start_child_now(std::size_t index);
  void start_all_waiting();
  void on_down(const caf::down_msg& m);
  void on_ready(const replica_ready& m);
  void on_usable(partition_id group);
  void on_called(const group_called& m);
  void give_up(const give_up_group& m);
  void end_given_up(partition_id p);
  void end_later(partition_id p, milliseconds wait);
  void hand_to_proxy(partition_id p);
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
  void add_proxies();
  void add_worker(std::size_t index);
  void add_replica(partition_id p);
  member_actor start_replica(partition_id p);
  bool has_replica(partition_id p);
  void look_up(partition_id p);
  std::optional<partition_id> leaving(std::size_t index) const;
  void forget_log(partition_id p);
  void forget_tables(partition_id p);
  void begin_anew(partition_id p);

  caf::event_based_actor* self_;
  std::optional<supervisor_parts> parts_;
  /// Whether a group has a replica here. On a node that stands alone each has.
  struct holding {
    enum class state : std::uint8_t {
      unknown, ///< the log store is asked
      /// Never had one, as far as the disk knows. One of the group's first
      /// members begins; any other node may have forgotten what it said as a
      /// member, and waits for a dismissal, which binds it to that.
      fresh,
      held,
      leaving,  ///< given up, its log is still there
      given_up, ///< until members speak to it
      coming,   ///< is made ready for a new one
    } now = state::unknown;
    bool asked = false;
    /// While it leaves: the proxy has taken over.
    bool handed = false;
    raft::log_position dismissal;
    std::size_t child = 0;
  };

  std::vector<child> children_;
  std::vector<holding> holdings_;
  std::set<partition_id> ready_replicas_;
  std::set<partition_id> usable_;
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
  add("partition_server", h.partition_server, [this, &h, &system] {
    return spawn_partition_server(system, {h, parts_->context.time});
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
    return spawn_state_worker(self_->system(),
                              worker_parts(parts_->context, parts_->handles,
                                           parts_->logs, parts_->tables));
  });
}

void supervisor_state::add_replica(partition_id p) {
  holdings_[p.value].child = children_.size();
  add("replica", parts_->handles.replicas[p.value],
      [this, p] { return start_replica(p); });
}

member_actor supervisor_state::start_replica(partition_id p) {
  auto& h = parts_->handles;
  auto writer = h.writer.load();
  auto worker = h.worker_of(p);
  auto gate = h.gate.load();
  const auto members = first_members(*parts_);
  if (!writer || !worker || !members || (parts_->cluster && !gate)
      || !has_replica(p))
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
       .view = h.views[p.value],
       .time = parts_->context.time,
       .figures = h.figures.partitions[p.value],
       .times = parts_->cluster ? parts_->cluster->times : replica_times{},
       .starter = caf::actor{self_}});
}

void supervisor_state::add_proxies() {
  auto& h = parts_->handles;
  for (std::uint64_t p = 1; p <= parts_->partitions; ++p)
    add("partition_proxy", h.proxies[p], [this, &h, p] {
      const partition_id group{p};
      auto proxy = spawn_partition_proxy(self_->system(),
                                         {.group = group,
                                          .self = parts_->self,
                                          .context = parts_->context,
                                          .handles = h,
                                          .times = parts_->cluster->times,
                                          .starter = caf::actor{self_}});
      if (ready_replicas_.contains(group))
        self_->send(proxy, replica_ready{group});
      return proxy;
    });
}

// -- who holds what -----------------------------------------------------------

/// False: not now. Precondition: who begins groups is known.
bool supervisor_state::has_replica(partition_id p) {
  using state = holding::state;
  auto& h = holdings_[p.value];
  if (!parts_->cluster)
    return true;
  if (h.now == state::unknown)
    look_up(p);
  if (h.now != state::fresh)
    return h.now == state::held;
  const bool is_first = raft::is_voter(*first_members(*parts_), parts_->self);
  if (is_first)
    h.now = state::held;
  parts_->handles.bound[p.value] = is_first;
  return is_first;
}

void supervisor_state::look_up(partition_id p) {
  using state = holding::state;
  auto& h = holdings_[p.value];
  if (std::exchange(h.asked, true))
    return;
  self_->request(parts_->handles.writer.load(), store_timeout, load_group{p})
      .then(
          [this, p, &h](const raft::stored_group& stored) {
            h.dismissal = stored.floor;
            const bool is_empty = stored.last == log_index{}
                                  && stored.state == raft::hard_state{}
                                  && stored.floor == raft::log_position{};
            parts_->handles.bound[p.value] = !is_empty;
            if (stored.given_up) {
              h.now = state::given_up;
              forget_tables(p);
              return;
            }
            h.now = is_empty ? state::fresh : state::held;
            start_child_now(h.child);
          },
          [&h](const caf::error&) { h.asked = false; });
}

/// Members speak to this node. The tables are gone before the log may begin anew.
void supervisor_state::on_called(const group_called& m) {
  using state = holding::state;
  if (m.group.value >= holdings_.size())
    return;
  auto& h = holdings_[m.group.value];
  const auto calls = [&](const raft::message& each) {
    return raft::fsm::calls_back(each, h.dismissal);
  };
  if (h.now != state::given_up
      || !std::ranges::any_of(m.said.messages, calls))
    return;
  spdlog::info("partition {} gets a replica here", m.group.value);
  begin_anew(m.group);
}

void supervisor_state::begin_anew(partition_id p) {
  using state = holding::state;
  auto& h = holdings_[p.value];
  const auto before = std::exchange(h.now, state::coming);
  const auto failed = [&h, before](const caf::error& e) {
    spdlog::warn("a replica cannot be begun: {}", api::from_caf(e).message);
    h.now = before;
  };
  const auto writer = parts_->handles.writer.load();
  const auto worker = parts_->handles.worker_of(p);
  if (!writer || !worker) {
    h.now = before;
    return;
  }
  self_->request(worker, store_timeout, drop_group{p})
      .then(
          [this, p, &h, writer, failed](const api::done&) {
            self_->request(writer, store_timeout, begin_log_anew{p})
                .then(
                    [this, &h](const api::done&) {
                      h.now = state::held;
                      start_child_now(h.child);
                    },
                    failed);
          },
          failed);
}

/// The replica judges, and stands still from then on; then the proxy takes over
/// from it; then who still waits for its answers gets them; then log and tables
/// go.
void supervisor_state::give_up(const give_up_group& m) {
  using state = holding::state;
  if (m.group.value >= holdings_.size())
    return;
  auto& h = holdings_[m.group.value];
  if (h.now == state::fresh) {
    h.now = state::leaving;
    h.handed = true; // nothing of it was ever shown
    h.dismissal = m.dismissal;
    forget_log(m.group);
    return;
  }
  const auto replica = parts_->handles.replicas[m.group.value].load();
  if (h.now != state::held || !replica)
    return;
  const auto failed = [p = m.group](const caf::error& e) {
    spdlog::info("the replica of partition {} is not given up now: {}", p.value,
                 api::from_caf(e).message);
  };
  self_->request(replica, store_timeout, m)
      .then(
          [this, m, &h](const api::done&) {
            spdlog::info("the replica of partition {} is given up",
                         m.group.value);
            h.now = state::leaving;
            h.handed = m.group == meta_partition; // has no proxy
            h.dismissal = m.dismissal;
            hand_to_proxy(m.group);
          },
          failed);
}

void supervisor_state::end_later(partition_id p, milliseconds wait) {
  self_->delayed_send(self_, wait, end_replica{p});
}

/// Tables nobody applies to any more are not to be shown.
void supervisor_state::hand_to_proxy(partition_id p) {
  const auto proxy = parts_->handles.proxies[p.value].load();
  if (!proxy) {
    end_later(p, backoff::first);
    return;
  }
  self_->request(proxy, store_timeout, stand_in{})
      .then(
          [this, p](const api::done&) {
            holdings_[p.value].handed = true;
            if (const auto replica = parts_->handles.replicas[p.value].load())
              self_->send(replica, answer_at_once{});
            end_later(p, parts_->cluster->times.answer_wait);
          },
          [this, p](const caf::error&) { end_later(p, backoff::first); });
}

void supervisor_state::end_given_up(partition_id p) {
  auto& h = holdings_[p.value];
  if (h.now != holding::state::leaving)
    return;
  if (!h.handed)
    hand_to_proxy(p);
  else if (const auto& replica = children_[h.child].running)
    self_->send_exit(replica, caf::exit_reason::user_shutdown);
  else
    forget_log(p);
}

void supervisor_state::forget_log(partition_id p) {
  using state = holding::state;
  auto& h = holdings_[p.value];
  const auto writer = parts_->handles.writer.load();
  const auto again = [this, p] { end_later(p, backoff::first); };
  if (!writer) {
    again();
    return;
  }
  self_->request(writer, store_timeout, give_up_log{p, h.dismissal})
      .then(
          [this, p, &h](const api::done&) {
            h.now = state::given_up;
            ready_replicas_.erase(p);
            parts_->handles.bound[p.value] = true;
            auto& figures = parts_->handles.figures.partitions[p.value];
            figures.held.set(0);
            figures.leads.set(0);
            forget_tables(p);
          },
          [again](const caf::error& e) {
            spdlog::warn("a log cannot be given up: {}",
                         api::from_caf(e).message);
            again();
          });
}

/// Lost, it is done again before the next replica begins.
void supervisor_state::forget_tables(partition_id p) {
  if (const auto worker = parts_->handles.worker_of(p))
    self_->request(worker, store_timeout, drop_group{p})
        .then([](const api::done&) {},
              [p](const caf::error& e) {
                spdlog::warn("the tables of partition {} are still here: {}",
                             p.value, api::from_caf(e).message);
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
  holdings_.resize(parts_->partitions + 1);
  for (std::uint64_t p = 0; p <= parts_->partitions; ++p)
    add_replica(partition_id{p});
  if (parts_->cluster)
    add_proxies();
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
    if (const auto left = leaving(i)) {
      end_given_up(*left);
      return;
    }
    const auto wait = c.delay.died(parts_->context.time.steady());
    spdlog::error("actor {} ended ({}), starting it anew in {} ms", c.what,
                  caf::to_string(m.reason), wait.count());
    self_->delayed_send(self_, wait, start_child{i});
    return;
  }
}

/// The group whose replica this child was, if it was given up.
std::optional<partition_id> supervisor_state::leaving(std::size_t index) const {
  for (std::uint64_t p = 0; p < holdings_.size(); ++p)
    if (holdings_[p].child == index
        && holdings_[p].now == holding::state::leaving)
      return partition_id{p};
  return std::nullopt;
}

/// Where there is a proxy, it knows when the replica may show its tables.
void supervisor_state::on_ready(const replica_ready& m) {
  ready_replicas_.insert(m.group);
  if (m.group == meta_partition || !parts_->cluster)
    on_usable(m.group);
  else if (const auto proxy = parts_->handles.proxies[m.group.value].load())
    self_->send(proxy, m);
}

void supervisor_state::on_usable(partition_id group) {
  const bool fresh = usable_.insert(group).second;
  if (fresh && usable_.size() == parts_->partitions + 1)
    parts_->partitions_usable();
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
      [&s](const partition_usable& m) { s.on_usable(m.group); },
      [&s](const group_called& m) { s.on_called(m); },
      [&s](const give_up_group& m) { s.give_up(m); },
      [&s](const end_replica& m) { s.end_given_up(m.group); },
      [&s](const adopt_connection& m) { s.adopt(m); },
  };
}

} // namespace

state_worker_parts worker_parts(node_context& context, node_handles& handles,
                                raft::log_store& logs,
                                raft::state_store& tables) {
  auto& h = handles;
  return {.logs = logs,
          .tables = tables,
          .index = context.configs,
          .partitions = h.partitions(),
          .route =
              [&context, &h](const model::event& e) {
                route_event(context, e);
                if (const auto to = h.follower_of(e.partition))
                  caf::anon_send(to, e);
              },
          .view = [&h](partition_id p) { return &h.views[p.value]; },
          .elsewhere =
              [&h](partition_id p) -> api::state_actor {
                return h.proxies[p.value].load();
              },
          .shown =
              [&h](partition_id p, log_index from) {
                if (const auto to = h.follower_of(p))
                  caf::anon_send(to, tables_shown{p, from});
              },
          .advanced =
              [&h](partition_id p, log_index upto) {
                if (const auto to = h.follower_of(p))
                  caf::anon_send(to, tables_advanced{p, upto});
              }};
}

caf::actor spawn_supervisor(caf::actor_system& system, supervisor_parts parts) {
  return system.spawn(supervisor, std::move(parts));
}

} // namespace muster::runtime
