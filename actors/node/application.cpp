#include "actors/node/application.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "actors/core/cluster/client_balance.hpp"
#include "actors/core/cluster/members.hpp"
#include "actors/node/address_server.hpp"
#include "actors/node/node_metrics.hpp"
#include "actors/node/settings/logging.hpp"
#include "actors/node/settings/member_list.hpp"
#include "actors/node/settings/version.hpp"
#include "actors/runtime/node.hpp"
#include "actors/runtime/tls_credentials.hpp"
#include "protocols/common/io_pool.hpp"
#include "protocols/common/metrics.hpp"
#include "protocols/http/server.hpp"
#include "protocols/muster/routes.hpp"
#include "protocols/nacos/grpc/door.hpp"
#include "protocols/nacos/http/routes.hpp"
#include "protocols/nacos/http/topology.hpp"
#include "protocols/nacos/udp/pusher.hpp"

namespace muster {

namespace {

/// Longest wait for the stored log to be applied.
constexpr auto start_timeout = std::chrono::minutes(5);

/// Whom the settings make this node live with; none: alone.
struct chosen_members {
  member_address self;
  std::vector<member_address> others;
};

result<std::optional<chosen_members>> members_of(const settings& s) {
  auto all = asks_address_server(s) ? address_server_members(s)
                                    : configured_members(s);
  if (!all)
    return std::unexpected(all.error());
  if (!*all)
    return std::nullopt;
  auto self = own_member(**all, s);
  if (!self)
    return std::unexpected(self.error());
  std::erase(**all, *self);
  return chosen_members{std::move(*self), std::move(**all)};
}

/// Identity of a data directory that is being made. Random: two nodes never
/// take each other's directory for their own.
storage::identity draw_identity(const settings& s,
                                const std::optional<chosen_members>& members) {
  std::random_device device;
  std::uniform_int_distribution<std::uint64_t> any(1);
  const auto cluster = any(device);
  return {members ? cluster::id_of(members->self.host, members->self.port)
                  : node_id{any(device)},
          "muster-" + std::to_string(cluster), s.storage.partitions};
}

storage::engine_options engine_of(const settings& s,
                                  const std::optional<chosen_members>& members,
                                  storage::environment_factory environment) {
  storage::engine_options o;
  o.data.directory = s.storage.data_dir;
  o.data.fresh = draw_identity(s, members);
  // Else votes of one member could be given in the name of another.
  if (members)
    o.data.expected_node = o.data.fresh.node;
  o.data.expected_partitions = s.storage.partitions;
  o.block_cache_bytes = s.storage.block_cache_bytes;
  o.write_buffer_bytes = s.storage.write_buffer_bytes;
  o.environment = std::move(environment);
  return o;
}

cluster::member member_of(const member_address& at, const settings& s) {
  const auto port = [&](std::uint32_t offset) {
    return static_cast<std::uint16_t>(at.port + offset);
  };
  return {.id = cluster::id_of(at.host, at.port),
          .host = at.host,
          .http_port = at.port,
          .sdk_port = port(s.grpc.port_offset),
          .cluster_port = port(cluster_port_offset)};
}

runtime::cluster_options cluster_of(const settings& s,
                                    const chosen_members& members) {
  runtime::cluster_options o;
  o.address = s.server.address;
  o.self = member_of(members.self, s);
  o.self.datacenter = s.cluster.datacenter;
  o.self.region = s.cluster.region;
  o.self.zone = s.cluster.zone;
  for (const auto& each : members.others)
    o.peers.push_back(member_of(each, s));
  o.failures_max = s.cluster.failures_max;
  o.placement.replace_after = s.cluster.replace_after;
  return o;
}

/// How this node and the others talk: by TLS, if there are files for that.
result<void> secure(const settings& s, runtime::cluster_options& options) {
  if (!s.cluster.has_tls())
    return {};
  auto own = runtime::tls_credentials::load(
      {s.cluster.tls_ca, s.cluster.tls_certificate, s.cluster.tls_key},
      options.self.host);
  if (!own)
    return std::unexpected(own.error());
  options.tls = std::move(*own);
  return {};
}

/// What the node knows of its cluster is kept in its data directory.
result<void> remember_in(const storage::data_dir& directory,
                         runtime::cluster_options& options) {
  const std::string name = "CLUSTER";
  options.incarnation = directory.owner().cluster;
  options.remember = [&directory, name](const pb::MembershipRecord& record) {
    return directory.store_note(name, record.SerializeAsString());
  };
  auto known = directory.load_note(name);
  if (!known)
    return std::unexpected(known.error());
  if (*known && !options.remembered.emplace().ParseFromString(**known))
    return fail(errc::data_loss, name + " in the data directory does not parse");
  return {};
}

runtime::node_options node_of(const settings& s, node_id self,
                              const std::optional<chosen_members>& members) {
  runtime::node_options o;
  if (members)
    o.cluster = cluster_of(s, *members);
  o.facts.version = std::string(version());
  o.facts.advertised_ip = !s.server.ip.empty() ? s.server.ip
                          : members            ? members->self.host
                                               : s.server.address;
  o.facts.http_port = s.server.port;
  o.facts.sdk_port = s.sdk_port();
  o.facts.standalone = !members;
  o.facts.partitions = s.storage.partitions;
  o.self = self;
  o.naming.push_merge = s.naming.push_delay;
  o.naming.service.expire_instances = s.naming.expire_instances;
  o.naming.service.empty_kept = s.naming.empty_service_expire;
  o.naming.service.forget_empty = s.naming.empty_service_auto_clean;
  o.naming.service.client_kept = s.naming.client_expire;
  o.naming.idle_before_probe = s.grpc.connection_stale;
  o.naming.unused_before_probe = 3 * s.grpc.connection_stale;
  o.naming.config_push_tries_max = s.config.push_retries_max;
  o.housekeeping.history_kept = std::chrono::days(s.config.retention_days);
  o.housekeeping.compact_after_entries = s.storage.snapshot_threshold;
  o.config_cache_bytes = s.storage.config_cache_bytes;
  o.state_workers = s.storage.state_workers;
  o.connections_max = s.grpc.connections_max;
  o.set_log_level = &logging::set_level;
  return o;
}

nacos::request_rules rules_of(const settings& s) {
  nacos::request_rules o;
  o.check_parameters = s.check.parameters;
  o.metadata_length_max = s.naming.metadata_chars_max;
  o.content_length_max = s.config.content_bytes_max;
  o.grays_max = s.config.gray_versions_max;
  return o;
}

http::server_settings http_of(const settings& s) {
  http::server_settings o;
  o.bind = s.server.address;
  o.port = s.server.port;
  o.limits.connections_max = s.http.connections_max;
  o.limits.head_bytes_max = s.http.head_bytes_max;
  o.limits.body_bytes_max = s.http.body_bytes_max;
  o.limits.body_bytes_total_max = std::max<std::size_t>(
      o.limits.body_bytes_total_max, s.http.body_bytes_max);
  o.limits.head_timeout = s.http.head_timeout;
  o.limits.body_total_timeout = s.http.request_timeout;
  o.limits.idle_timeout = s.http.keep_alive;
  o.auth = {s.auth.enabled, s.auth.admin_enabled, s.auth.console_enabled};
  o.gates = {true, s.compatibility.client, s.compatibility.admin,
             s.compatibility.console};
  return o;
}

nacos::remote::door_settings grpc_of(const settings& s) {
  nacos::remote::door_settings o;
  o.address = s.grpc_address();
  o.port = s.sdk_port();
  o.message_bytes_max = s.grpc.inbound_bytes_max;
  o.streams.queued_messages_max = s.grpc.push_queue_max;
  o.auth = {s.auth.enabled, s.auth.admin_enabled, s.auth.console_enabled};
  o.streams.stalled_after = s.grpc.push_timeout;
  o.keepalive = {s.grpc.keep_alive_time, s.grpc.keep_alive_timeout,
                 s.grpc.permit_keep_alive_time};
  o.rules = rules_of(s);
  o.fuzzy_configs = {s.config.fuzzy_patterns_max, s.config.fuzzy_matches_max};
  o.fuzzy_services = {s.naming.fuzzy_patterns_max, s.naming.fuzzy_matches_max};
  return o;
}

std::shared_ptr<const nacos::topology_parts>
topology_of(const runtime::node& node) {
  auto parts = std::make_shared<nacos::topology_parts>();
  parts->balancer = [&node] { return node.balancer(); };
  parts->clients = [&node] { return node.clients(); };
  return parts;
}

/// Asks all clients with streams to move to members that serve. False: there are
/// no such members, or no clients.
bool send_clients_away(const runtime::node& node) {
  const auto clients = node.clients();
  const auto targets = cluster::refuges(*node.members());
  if (!clients || targets.empty() || clients->counts().all == 0)
    return false;
  clients->shed(0, targets);
  return true;
}

} // namespace

/// Members in the order of their start; destroyed in the reverse one.
struct application::parts {
  explicit parts(const settings& s) : chosen(s) {}

  settings chosen;
  std::unique_ptr<storage::engine> engine;
  std::unique_ptr<runtime::node> node;
  std::unique_ptr<common::io_pool> pool;
  std::shared_ptr<common::metrics_registry> metrics;
  std::shared_ptr<prometheus::Collectable> node_figures;
  std::unique_ptr<nacos::udp::pusher> pushes;
  std::vector<common::product> products;
  std::unique_ptr<http::server> http;
  std::unique_ptr<nacos::remote::door> grpc;
};

application::application(std::unique_ptr<parts> p) : parts_(std::move(p)) {}

application::~application() { stop(); }

result<std::unique_ptr<application>>
application::start(const settings& s, storage::environment_factory environment) {
  auto p = std::make_unique<parts>(s);
  const auto members = members_of(s);
  if (!members)
    return std::unexpected(members.error());
  auto engine =
      storage::engine::open(engine_of(s, *members, std::move(environment)));
  if (!engine)
    return std::unexpected(engine.error());
  p->engine = std::move(*engine);
  auto options = node_of(s, p->engine->owner().node, *members);
  if (options.cluster) {
    if (auto done = secure(s, *options.cluster); !done)
      return std::unexpected(done.error());
    if (auto known = remember_in(p->engine->directory(), *options.cluster);
        !known)
      return std::unexpected(known.error());
  }
  p->node = std::make_unique<runtime::node>(
    std::move(options), p->engine->logs(),
    p->engine->tables(), system_clock());
  if (auto started = p->node->start(); !started)
    return std::unexpected(started.error());
  // A client that read too early would take "not there" for an answer. A node
  // alone opens its doors once everything stored is applied; one in a cluster
  // may wait long for others, and tells who asks that it is starting.
  if (!*members && !p->node->wait_serving(start_timeout))
    return fail(errc::unavailable, "the stored data was not brought up in time");
  p->pool = std::make_unique<common::io_pool>(
    common::io_pool::settings{.threads = s.http.workers}, p->node->system(),
    system_clock());
  p->pool->start();
  p->metrics = std::make_shared<common::metrics_registry>();
  p->node_figures = node_metrics(*p->node);
  p->metrics->add(p->node_figures);
  auto pushes = nacos::udp::pusher::open(*p->node, *p->pool,
                                         {.bind = s.server.address});
  if (!pushes)
    return std::unexpected(pushes.error());
  p->pushes = std::move(*pushes);
  p->metrics->add(p->pushes->metrics());
  auto http_parts = std::make_shared<nacos::http_parts>();
  http_parts->pushes = p->pushes.get();
  http_parts->rules = rules_of(s);
  http_parts->retention_days = s.config.retention_days;
  p->products = {nacos::http_product(std::move(http_parts)),
                 nacos::topology_product(topology_of(*p->node)),
                 admin::http_product()};
  p->http = std::make_unique<http::server>(http_of(s), *p->node, *p->pool,
                                           p->products, p->metrics);
  std::unique_ptr<application> app(new application(std::move(p)));
  auto& started = *app->parts_;
  if (auto done = started.http->start(); !done)
    return std::unexpected(done.error());
  auto door = nacos::remote::door::open(*started.node, started.node->system(),
                                        grpc_of(s));
  if (!door)
    return std::unexpected(door.error());
  started.grpc = std::move(*door);
  started.metrics->add(started.grpc->metrics());
  started.node->serve_clients(started.grpc->streams());
  spdlog::info("{}: HTTP on {}:{}{}, SDK gRPC on {}:{}, data in {}",
               version_text(), s.server.address, s.server.port,
               s.server.context_path, s.grpc_address(), s.sdk_port(),
               s.storage.data_dir);
  return app;
}

bool application::serving() const {
  return parts_->node->state() == api::node_state::serving;
}

void application::stop() {
  auto& p = *parts_;
  if (!p.node)
    return;
  p.node->drain();
  const auto began = std::chrono::steady_clock::now();
  const bool leave = send_clients_away(*p.node);
  // Half of the time for requests in progress, the rest for what they started.
  const auto grace = std::chrono::duration_cast<milliseconds>(
    p.chosen.server.drain_timeout / 2);
  if (p.http)
    p.http->stop(grace);
  if (p.grpc && leave)
    p.grpc->wait_empty(std::chrono::ceil<milliseconds>(
      began + grace - std::chrono::steady_clock::now()));
  if (p.grpc)
    p.grpc->stop(grace / 2);
  p.node->serve_clients(nullptr);
  if (p.pushes)
    p.pushes->stop();
  p.pool->stop();
  p.node->stop();
}

} // namespace muster
