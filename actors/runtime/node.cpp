#include "actors/runtime/node.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/cluster/record.hpp"
#include "actors/runtime/membership.hpp"
#include "actors/runtime/peer.hpp"
#include "actors/runtime/peer_sockets.hpp"
#include "actors/runtime/supervisor.hpp"

namespace muster::runtime {

namespace {

caf::actor_system_config& configured(caf::actor_system_config& cfg,
                                     const node_options& options) {
  // Half of the cores: the front-ends' threads want the rest, and what a worker
  // does is short. On two cores two workers, taking jobs from each other, cost a
  // quarter of the publishes and a third of the registrations over HTTP.
  const auto workers = std::max(1U, std::thread::hardware_concurrency() / 2);
  const std::size_t threads
    = options.scheduler_threads != 0 ? options.scheduler_threads : workers;
  // `sharing` sleeps when idle (about 0.2 % of a core, `stealing` about 4 %);
  // the bound on throughput keeps one busy actor from starving its worker.
  cfg.set("scheduler.policy", caf::atom("sharing"));
  cfg.set("scheduler.max-threads", threads);
  cfg.set("scheduler.max-throughput", std::size_t{50});
  cfg.set("logger.verbosity", caf::atom("quiet"));
  if (options.cluster)
    allow_peers(cfg);
  return cfg;
}

} // namespace

struct node::impl {
  impl(node_options o, raft::log_store& l, raft::state_store& t,
       const clock& time)
    : options(std::move(o)),
      logs(l),
      tables(t),
      configs(options.config_cache_bytes),
      handles(options.facts.partitions, options.state_workers),
      context{time,
              options.naming,
              configs,
              services,
              [this](partition_id p) { return handles.writer_to(p); },
              [this](partition_id p) { return handles.tables_of(p); },
              [this] { return handles.namespaces.load(); }},
      system(configured(config, options)) {
    context.naming_ready = [this] { ready(naming_up); };
    // On a member of a cluster only partition 0 is sure to be here.
    for (std::size_t p = 0; p < handles.views.size(); ++p)
      handles.views[p].begin(p == 0 || !options.cluster);
    if (options.cluster)
      context.distro = &share;
    else
      parts_up = distro_up; // there is nobody to learn from
  }

  /// What is known of the members before anybody was heard.
  api::member_list_ptr first_members() const {
    const auto& facts = options.facts;
    if (!options.cluster)
      return cluster::alone({.id = options.self,
                             .host = facts.advertised_ip,
                             .http_port = facts.http_port,
                             .sdk_port = facts.sdk_port,
                             .state = api::member_state::up,
                             .version = facts.version});
    auto list = std::make_shared<api::member_list>();
    list->self = options.cluster->self.id;
    list->all = known_members(*options.cluster);
    return list;
  }

  cluster::member_facts own_facts() const {
    const auto now = current_state();
    const auto& self = options.cluster->self;
    const auto record = context.cluster.load();
    const auto* own = record ? cluster::find(*record, self.id) : nullptr;
    return {.boot = boot,
            .version = options.facts.version,
            .sdk_port = options.facts.sdk_port,
            .datacenter = self.datacenter,
            .region = self.region,
            .zone = self.zone,
            .serving = now == api::node_state::serving,
            .draining = now == api::node_state::draining
                        || (own && own->state() != pb::MemberRecord::ACTIVE),
            .shows = handles.shown_partitions()};
  }

  /// A node that is no member of its cluster serves nobody.
  api::node_state current_state() const {
    const auto now = state.load();
    return now == api::node_state::serving && context.outsider.load()
             ? api::node_state::starting
             : now;
  }

  /// One of the parts of readiness is there.
  void ready(unsigned part) {
    auto expected = api::node_state::starting;
    if ((parts_up.fetch_or(part) | part)
        == (partitions_up | naming_up | distro_up))
      if (state.compare_exchange_strong(expected, api::node_state::serving)) {
        const std::lock_guard lock(serving_mutex);
        serving.notify_all();
      }
  }

  static constexpr unsigned partitions_up = 1;
  static constexpr unsigned naming_up = 2;
  static constexpr unsigned distro_up = 4;

  /// Tells this start of the process from others. Never 0.
  const std::uint64_t boot
    = (std::uint64_t{std::random_device{}()} << 32U) | 1U;
  node_options options;
  raft::log_store& logs;
  raft::state_store& tables;
  api::config_index configs;
  api::service_directory services;
  node_handles handles;
  distro_share share{{options.self, boot},
                     [this] { return handles.distro.load(); }};
  std::atomic<api::node_state> state{api::node_state::starting};
  std::atomic<unsigned> parts_up{0};
  mutable std::mutex serving_mutex;
  mutable std::condition_variable serving;
  node_context context;
  caf::actor_system_config config;
  caf::actor_system system;
  caf::actor door;
  caf::actor supervisor;
  caf::actor housekeeper;
  std::shared_ptr<std::atomic<std::size_t>> connections
    = std::make_shared<std::atomic<std::size_t>>(0);
};

node::node(node_options options, raft::log_store& logs,
           raft::state_store& tables, const clock& time)
  : impl_(std::make_unique<impl>(std::move(options), logs, tables, time)) {}

node::~node() { stop(); }

result<void> node::start() {
  auto& i = *impl_;
  const supervisor_parts parts{
    .context = i.context,
    .handles = i.handles,
    .logs = i.logs,
    .tables = i.tables,
    .self = i.options.self,
    .partitions = i.options.facts.partitions,
    .cluster = i.options.cluster,
    .own_facts = [&i] { return i.own_facts(); },
    .partitions_usable = [&i] { i.ready(impl::partitions_up); },
    .distro_ready = [&i] { i.ready(impl::distro_up); }};
  i.context.members = i.first_members();
  if (parts.cluster) {
    close_broker_at_end(i.system);
    i.door = spawn_door(i.system, peers_of(parts));
    if (auto open = publish_door(i.system, i.door, parts.cluster->address,
                                 parts.cluster->self.cluster_port,
                                 parts.cluster->tls);
        !open) {
      caf::anon_send_exit(i.door, caf::exit_reason::user_shutdown);
      return open;
    }
  }
  i.supervisor = spawn_supervisor(i.system, parts);
  i.handles.supervisor.store(i.supervisor);
  i.housekeeper = spawn_housekeeper(
    i.system, {.context = i.context,
               .handles = i.handles,
               .logs = i.logs,
               .tables = i.tables,
               .partitions = i.options.facts.partitions,
               .settings = i.options.housekeeping});
  return {};
}

bool node::wait_serving(milliseconds at_most) const {
  std::unique_lock lock(impl_->serving_mutex);
  return impl_->serving.wait_for(lock, at_most, [this] {
    return state() == api::node_state::serving;
  });
}

void node::drain() {
  impl_->share.draining = true;
  impl_->state.store(api::node_state::draining);
}

void node::stop() {
  auto& i = *impl_;
  if (!i.supervisor)
    return;
  drain();
  caf::anon_send_exit(i.housekeeper, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(i.supervisor, caf::exit_reason::user_shutdown);
  if (i.door)
    caf::anon_send_exit(i.door, caf::exit_reason::user_shutdown);
  i.door = nullptr;
  i.supervisor = nullptr;
  i.handles.supervisor.store({});
  i.housekeeper = nullptr;
  i.system.await_all_actors_done();
  if (!i.options.cluster) {
    compact_all(i.logs, i.tables, i.options.self, i.options.facts.partitions);
    return;
  }
  // The logs stay as they are: other members may need them.
  if (const auto done = i.tables.flush(); !done)
    spdlog::error("tables could not be flushed: {}", done.error().message);
}

caf::actor_system& node::system() { return impl_->system; }
const clock& node::time() const { return impl_->context.time; }
const api::node_facts& node::facts() const { return impl_->options.facts; }
const node_figures& node::figures() const { return impl_->handles.figures; }
api::node_state node::state() const { return impl_->current_state(); }
api::member_list_ptr node::members() const {
  return impl_->context.members.load();
}
const api::config_index& node::configs() const { return impl_->configs; }
const api::service_directory& node::services() const { return impl_->services; }

api::replica_actor node::replica(partition_id partition) const {
  return impl_->handles.writer_to(partition);
}

api::state_actor node::tables(partition_id partition) const {
  return impl_->handles.tables_of(partition);
}

result<void> node::set_log_level(std::string_view name) {
  if (!impl_->options.set_log_level)
    return fail(errc::failed_precondition, "the log's level is fixed");
  return impl_->options.set_log_level(name);
}

api::namespaces_actor node::namespaces() const {
  return impl_->handles.namespaces.load();
}

api::placement_actor node::placement() const {
  return impl_->handles.placement.load();
}

api::balancer_actor node::balancer() const {
  return impl_->handles.balancer.load();
}

std::shared_ptr<api::client_streams> node::clients() const {
  return impl_->handles.clients.load();
}

void node::serve_clients(std::shared_ptr<api::client_streams> streams) {
  impl_->handles.clients = std::move(streams);
}

result<api::connection_actor>
node::connect(api::client_info info, std::shared_ptr<api::push_sink> sink) {
  auto& i = *impl_;
  if (state() != api::node_state::serving)
    return fail(errc::unavailable, "the node does not serve yet");
  if (i.connections->fetch_add(1) >= i.options.connections_max) {
    i.connections->fetch_sub(1);
    return fail(errc::resource_exhausted, "too many client streams");
  }
  auto actor
    = spawn_connection(i.system, i.context, std::move(info), std::move(sink));
  actor->attach_functor(
    [counter = i.connections] { counter->fetch_sub(1); });
  caf::anon_send(i.supervisor,
                 adopt_connection{caf::actor_cast<caf::actor>(actor)});
  return actor;
}

std::vector<std::pair<std::string, caf::actor>> node::actors() const {
  const auto& h = impl_->handles;
  std::vector<std::pair<std::string, caf::actor>> found;
  const auto add = [&](std::string name, const auto& handle) {
    if (handle)
      found.emplace_back(std::move(name), caf::actor_cast<caf::actor>(handle));
  };
  add("gate", h.gate.load());
  add("snapshot_sender", h.snapshot_sender.load());
  add("snapshot_receiver", h.snapshot_receiver.load());
  add("distro", h.distro.load());
  add("placement", h.placement.load());
  add("balancer", h.balancer.load());
  add("partition_server", h.partition_server.load());
  for (const auto& p : h.proxies)
    add("partition_proxy", p.load());
  add("log_writer", h.writer.load());
  for (const auto& w : h.workers)
    add("state_worker", w.load());
  for (const auto& r : h.replicas)
    add("replica", r.load());
  add("namespaces", h.namespaces.load());
  for (const auto& each : impl_->context.owners.spaces())
    add("namespace", each);
  for (const auto& each : impl_->context.owners.groups())
    add("config_group", each);
  for (const auto& space : impl_->services.spaces())
    for (const auto& slot : impl_->services.in_space(space))
      add("service", slot->actor());
  return found;
}

} // namespace muster::runtime
