#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/api/members.hpp"
#include "actors/core/base/clock.hpp"
#include "actors/core/base/result.hpp"
#include "actors/core/model/apply.hpp"
#include "actors/core/naming/view.hpp"

/// Messages of the actor interfaces in actors.hpp. They stay inside the
/// process (bulk data by shared pointer); what crosses nodes has its own,
/// serialisable forms behind the gate.
namespace muster::api {

/// W3C trace context as carried along by every request (https://www.w3.org/TR/
/// trace-context/). All zero = none came in.
struct trace_context {
  std::array<std::uint8_t, 16> trace{};
  std::array<std::uint8_t, 8> parent{};
  std::uint8_t flags = 0;
};

/// Carried by every request that a front-end sends.
struct request_meta {
  trace_context trace;
  /// After this moment nobody waits for the answer any more.
  steady_time deadline{};
};

/// Answer of requests that have no data to give back.
struct done {};

// -- replica ----------------------------------------------------------------

/// -> model::outcome, sent after the command is durable on a majority, applied
/// here and visible to this node's readers. Errors: `unavailable` (nothing was
/// done), `resource_exhausted` (queue full, nothing was done), `unknown`.
struct propose {
  request_meta meta;
  std::shared_ptr<const pb::Command> command;
};

/// -> log_index: a reader that has applied it sees every write acknowledged
/// before this was asked (ReadIndex, thesis 6.4). Waits for the local apply.
struct read_barrier {
  request_meta meta;
};

// -- state (reads of a partition's tables) ------------------------------------

/// -> config_loaded; also publishes it to the config_index.
struct load_config {
  request_meta meta;
  config_key key;
};
struct config_loaded {
  config_snapshot_ptr snapshot; ///< null = no such config
};

/// -> config_names: keys of one namespace in this partition, in key order.
struct list_config_names {
  request_meta meta;
  partition_id partition; ///< ask every config partition for the whole list
  std::string space;
};
struct config_names {
  std::vector<config_key> keys;
};

/// -> service_state: durable parts of one service (partition 0).
struct load_service {
  request_meta meta;
  service_key key;
};
struct service_state {
  log_index index; ///< applied index as of which this was read
  std::optional<pb::ServiceRecord> record;
  std::vector<pb::InstanceRecord> instances;
  struct overlaid {
    std::string ip;
    std::uint32_t port = 0;
    std::string cluster;
    pb::OverrideRecord values;
  };
  std::vector<overlaid> overrides;
};

/// -> service_names: services of a namespace (empty = of all namespaces) that
/// have a durable record.
struct list_stored_services {
  request_meta meta;
  std::string space;
};
struct service_names {
  std::vector<service_key> keys;
};

/// -> namespace_list (partition 0), in id order, without `public`.
struct list_namespaces {
  request_meta meta;
};
struct namespace_list {
  struct row {
    std::string id;
    pb::NamespaceRecord record;
  };
  std::vector<row> rows;
};

/// -> config_counts: formal configs by namespace in this partition.
struct count_configs {
  request_meta meta;
  partition_id partition; ///< ask every config partition and add up
};
struct config_counts {
  std::vector<std::pair<std::string, std::uint64_t>> by_space;
};

/// -> history_rows: newest first, at most `limit`, rows older than `before`
/// (nid, 0 = from the newest).
struct list_history {
  request_meta meta;
  config_key key;
  std::uint64_t before = 0;
  std::size_t limit = 0;
};
struct history_rows {
  std::vector<pb::HistoryRecord> rows;
};

/// -> cluster_loaded (partition 0)
struct load_cluster {
  request_meta meta;
};
struct cluster_loaded {
  std::optional<pb::MembershipRecord> record; ///< none: nobody has entered yet
};

// -- members of the cluster ---------------------------------------------------

/// -> member_survey: the record of partition 0, and what the members that
/// answer say about the groups.
struct survey_members {
  request_meta meta;
};
struct member_survey {
  struct row {
    pb::MemberRecord record;
    member_state state = member_state::starting; ///< as this node sees it
    std::size_t held = 0; ///< groups with a replica there; 0: did not answer
    std::size_t votes = 0;
    std::size_t leads = 0;
  };
  std::vector<row> rows;
  /// Groups of which a leader answered, and all there are.
  std::size_t groups_known = 0;
  std::size_t groups = 0;
};

/// -> model::outcome, once it is in partition 0's record; groups and leaders
/// follow. `failed_precondition` with the reason if the cluster would not get
/// on without the member.
struct change_member {
  request_meta meta;
  enum class what : std::uint8_t { add, drain, remove } kind = what::add;
  member who;
};

// -- watching -----------------------------------------------------------------

/// Who is told. `token` comes back with each notification, so that one actor
/// can hold many watches. The watched actor monitors `target`: a watch dies with
/// it. The target monitors the watched actor and watches anew if that dies.
struct watcher {
  caf::actor target;
  std::uint64_t token = 0;
};

/// -> done, once registered: every change applied after that is told. Names
/// need not exist. A second watch with the same watcher and name replaces.
struct watch_configs {
  watcher who;
  std::vector<std::string> data_ids;
};
/// Forgets these names of this watcher; empty = all of them. -> done
struct unwatch_configs {
  watcher who;
  std::vector<std::string> data_ids;
};
/// To a target: a watched config changed (content, gray or existence).
struct config_fired {
  std::vector<std::uint64_t> tokens;
  model::config_changed change;
};

/// -> service_watched{current view}; later changes come as service_fired, after
/// the merge window (setting naming.push.pushTaskDelay).
struct watch_service {
  watcher who;
};
struct unwatch_service {
  watcher who;
};
struct service_fired {
  std::vector<std::uint64_t> tokens;
  naming::service_view_ptr view;
};

/// Watches which names exist in a namespace (fuzzy watch). -> done
enum class name_kind : std::uint8_t { config, service };
struct watch_names {
  watcher who;
  name_kind kind = name_kind::config;
  std::string space;
};
struct unwatch_names {
  watcher who;
  name_kind kind = name_kind::config;
  std::string space;
};
/// A name came (first formal version, first publisher) or went.
struct name_fired {
  std::vector<std::uint64_t> tokens;
  name_kind kind = name_kind::config;
  std::string space;
  std::string group;
  std::string name;
  bool added = false;
};

} // namespace muster::api
