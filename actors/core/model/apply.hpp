#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "actors/core/base/ids.hpp"
#include "actors/core/base/result.hpp"
#include "actors/core/model/keys.hpp"
#include "actors/core/model/snapshot.hpp"
#include "actors/core/model/state_view.hpp"
#include "muster/command.pb.h"

/// The one way durable state changes: apply(Command, State) -> outcome +
/// events.
namespace muster::model {

/// What the proposer gets to know once its command is applied.
struct outcome {
  /// `ok`, or why nothing was changed (`aborted` = CAS lost, `already_exists`,
  /// `not_found`, `failed_precondition`, `resource_exhausted`).
  errc code = errc::ok;
  std::string message;
  /// Log index at which it was applied.
  log_index index;
  /// Id of the record made or changed, where there is one.
  std::uint64_t id = 0;
  /// Whether there was something before (publish: update; remove: existed;
  /// trim: rows were removed, so there may be more).
  bool existed = false;
};

/// A config, or one of its grays, changed.
struct config_changed {
  /// As of now; null if neither a formal nor a gray version is left.
  config_snapshot_ptr now;
  config_key key;
  /// Formal content, gray content, gray rule or existence changed: listeners
  /// wake. False for a change of description or type only.
  bool content_changed = false;
  /// Formal version came or went: fuzzy watchers are told.
  bool created = false;
  bool removed = false;
};

/// A namespace record came, changed or went.
struct namespace_changed {
  std::string id;
  bool removed = false;
};

/// Definition, persistent instances or overrides of a service changed; the
/// owner reads them anew (they are few and change rarely).
struct service_changed {
  service_key key;
  bool removed = false;
};

/// What happened at one index of one partition, in apply order. The source of
/// every watch.
struct event {
  partition_id partition;
  log_index index;
  std::variant<config_changed, namespace_changed, service_changed> what;
};

/// Result of one command.
struct applied {
  outcome result;
  std::vector<event> events;
};

/// Applies one command to one partition's tables.
///
/// A command with a `sequence` is applied once: repeated within the next
/// 131,072 log entries, it changes nothing, tells nothing and has the first
/// outcome. An absent config, gray, namespace, instance or override to remove
/// is `ok` with `existed` false. A formal version's end leaves the grays in
/// force.
///
/// Deterministic: equal tables, command, partition and index give equal tables,
/// outcome and events on every replica; no time, no randomness, no address and
/// no map order enters. A command that cannot be applied changes nothing and
/// says why in the outcome. Throws only `state_error` (from the port).
applied apply(const pb::Command& command, partition_id partition,
              log_index index, state_writer& state);

/// The config as readers see it, or null.
config_snapshot_ptr load_config(const state_reader& state,
                                const config_key& key);

/// Which partition holds the configs of a (namespace, group); 1…count. The hash
/// is FNV-1a 64 over "namespace\0group": part of the disk format, never change.
partition_id config_partition(std::string_view space, std::string_view group,
                              std::uint64_t count);

/// Ids given out by apply: unique over all partitions, rising within one.
/// index * 4096 + partition, so at most 4096 partitions.
std::uint64_t make_id(partition_id partition, log_index index);

} // namespace muster::model
