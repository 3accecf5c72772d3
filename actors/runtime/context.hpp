#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include <caf/fwd.hpp>

#include "actors/api/actors.hpp"
#include "actors/api/config_index.hpp"
#include "actors/api/connection.hpp"
#include "actors/api/members.hpp"
#include "actors/api/service_directory.hpp"
#include "actors/core/base/clock.hpp"
#include "actors/core/naming/service_core.hpp"
#include "actors/core/raft/types.hpp"

/// What the actors of a node share: collaborators, times and limits.
namespace muster::runtime {

/// Times and limits of the naming and watch actors. Fixed while the node runs.
struct naming_settings {
  /// From the first change of a service to the push; changes between merge.
  milliseconds push_merge{50};
  /// Heart-beats, expiry, batch size.
  naming::service_rules service{};
  /// How long a config group nobody watches is kept.
  milliseconds idle_group_kept{60'000};
  /// Longest wait for another actor of this node.
  milliseconds request_timeout{5'000};
  /// Longest wait at start for a namespace to bring up what is stored.
  milliseconds open_timeout{60'000};
  /// Publications, and again subscriptions, of one connection.
  std::size_t per_connection_max = 10'000;
  /// Pushes of one connection that wait for an answer; one more ends it.
  std::size_t pushes_per_connection_max = 100'000;
  /// Config names one connection may listen to.
  std::size_t listens_per_connection_max = 100'000;
  /// Namespaces in use, services of one, config groups of one.
  std::size_t spaces_max = 10'000;
  std::size_t services_per_space_max = 1'000'000;
  std::size_t groups_per_space_max = 100'000;
  /// Watches one service, config group or namespace has.
  std::size_t watches_max = 1'000'000;
  /// Notifications sent by one message handler before it yields.
  std::size_t fan_out_chunk = 1'000;

  /// A stream that was silent this long is probed; without an answer in
  /// `probe_timeout` it is closed (nacos-grpc 3.6).
  milliseconds idle_before_probe{20'000};
  /// The same for a client that has published, watches and listens to nothing:
  /// all that is lost by finding it dead later is some memory.
  milliseconds unused_before_probe{60'000};
  milliseconds probe_timeout{5'000};
  /// Tries of one push of a config's change, before the connection is closed; 0
  /// = any number (nacos-grpc 6.8).
  std::uint32_t config_push_tries_max = 50;
};

/// Steady time in which this process could work: time during which nobody asked
/// for `stall_min` and more (SIGSTOP, a suspended machine) is left out, so that
/// nobody expires because *we* stood still. Any thread. Somebody must ask at
/// least once a second: the namespaces actor does.
class serving_clock {
public:
  static constexpr milliseconds stall_min{3'000};

  explicit serving_clock(const clock& time);
  steady_time now();

  /// Whether it stood still not long ago: what was said to it meanwhile, it may
  /// still have to hear. Nodes compare what they know every 5 s.
  static constexpr milliseconds still_remembered{8'000};
  bool stood_still_lately();

private:
  steady_time now_locked();

  const clock& time_;
  std::mutex mutex_;
  steady_time asked_;
  milliseconds lost_{0};
  std::optional<steady_time> went_on_; ///< after it stood still last
};

/// Which actors want events: config groups by (namespace, group), namespaces by
/// id. Namespace actors write it, the state workers' threads read it. A group is
/// entered before a watch on it is answered, so that no event passes it by.
class event_directory {
public:
  /// Null handles where nobody is interested.
  api::config_group_actor group(std::string_view space,
                                std::string_view group) const;
  caf::actor space(std::string_view space) const;

  /// Of all groups, by namespace and group, that are so.
  std::vector<caf::actor>
  groups_where(const std::function<bool(const key_view&)>& is_so) const;

  /// All of them, for tests that kill them.
  std::vector<caf::actor> groups() const;
  std::vector<caf::actor> spaces() const;

  void put_group(const std::string& space, const std::string& group,
                 api::config_group_actor actor);
  /// Removes the entry if it still is `actor`.
  void drop_group(std::string_view space, std::string_view group,
                  const api::config_group_actor& actor);
  void put_space(const std::string& space, caf::actor actor);
  void drop_space(std::string_view space, const caf::actor& actor);

private:
  template <class Handle>
  using map_of = std::unordered_map<config_key, Handle, key_hash, key_equal>;
  mutable std::shared_mutex mutex_;
  map_of<api::config_group_actor> groups_;
  map_of<caf::actor> spaces_;
};

struct distro_share;

/// One per node, made before the first actor, outlives the actor system. The
/// functions may be called by any thread and return a null handle while the
/// actor asked for is being restarted.
struct node_context {
  const clock& time;
  naming_settings naming;
  api::config_index& configs;
  api::service_directory& services;

  std::function<api::replica_actor(partition_id)> replica;
  std::function<api::state_actor(partition_id)> tables;
  std::function<api::namespaces_actor()> namespaces;
  /// Called, if set, by any thread each time the namespaces actor has opened
  /// what is stored: from then on a service that is not in `services` is none.
  std::function<void()> naming_ready{};
  /// Who is in the cluster now; a node that stands alone is its only member.
  /// Written by the membership actor.
  std::atomic<api::member_list_ptr> members{};
  /// Which data directories the members have, as far as known here; null until
  /// anything is. Written by the membership actor.
  std::atomic<std::shared_ptr<const pb::MembershipRecord>> cluster{};

  /// With which members the groups begin, unless their logs say otherwise; null
  /// until that is known. Written by the membership actor.
  std::atomic<std::shared_ptr<const raft::configuration>> first_members{};
  /// There is a cluster, and this node is none of its members. Written by the
  /// membership actor.
  std::atomic<bool> outsider{false};

  /// What services share with other nodes; null on a node that stands alone.
  distro_share* distro = nullptr;

  serving_clock serving{time};
  event_directory owners{};
};

/// The partition that holds services, persistent instances and namespaces.
inline constexpr partition_id meta_partition{0};

/// Tells the owners of what changed: a config's group and (came or went) its
/// namespace, a service's actor. Called by the state workers' threads after the
/// effects are visible and before the proposer is answered. Takes no lock while
/// sending; costs a look-up where nobody watches.
void route_event(node_context& node, const model::event& event);

/// The root of all namespaces. At start it opens what is stored; requests wait
/// for that. If it dies, its namespaces, services and groups die with it, and
/// the next one takes over from the slots in `node.services`. The caller
/// monitors it and starts it anew.
api::namespaces_actor spawn_namespaces(caf::actor_system& system,
                                       node_context& node);

/// The actor of one accepted stream. The caller counts connections and monitors
/// it; it ends by itself (see connection.hpp). Every end but the client's own
/// closes `sink`.
api::connection_actor spawn_connection(caf::actor_system& system,
                                       node_context& node,
                                       api::client_info info,
                                       std::shared_ptr<api::push_sink> sink);

} // namespace muster::runtime
