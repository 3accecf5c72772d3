#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/typed_actor.hpp>

#include "actors/api/actors.hpp"

/// One long-lived client stream (gRPC now, WebSocket later) as an actor.
///
/// What the client published and watches lives and dies with this actor: the
/// services monitor it. Life: made when the stream is accepted, quits when the
/// front-end says `stream_closed` or its own liveness rules end it.
namespace muster::api {

/// Who is at the other end. Filled by the front-end from the stream's set-up.
struct client_info {
  std::string connection_id;
  std::string client_ip; ///< as declared by the client
  std::string remote_address;
  std::string version;
  std::string app;
  std::vector<std::pair<std::string, std::string>> labels;
};

/// Servers of a Nacos cluster say so of themselves; all others are SDKs. To send
/// one elsewhere would cut it off.
inline bool is_server(const client_info& client) {
  return std::ranges::any_of(client.labels, [](const auto& label) {
    return label.first == "source" && label.second == "cluster";
  });
}

/// One message of a fuzzy watch's synchronisation: what the client lacks
/// (`added`) or knows too much. Immutable.
struct name_batch {
  struct change {
    std::string group;
    std::string name;
    bool added = false;
  };
  name_kind kind = name_kind::config;
  std::string space;
  std::string pattern;
  /// The client's first synchronisation of this watch, or a later one.
  bool initial = false;
  /// The closing message of an initial synchronisation: `changes` is empty.
  bool finish = false;
  std::vector<change> changes;
  std::size_t number = 0; ///< from 1
  std::size_t total = 0;
};

/// One thing to push. Data is read at send time, so that the last state wins;
/// `key` makes pushes of the same thing replace each other while queued.
struct push_item {
  enum class what : std::uint8_t { config, service, name, names, probe, reset };
  what kind = what::probe;
  std::string key;
  config_key config;                ///< kind config
  naming::service_view_ptr service; ///< kind service
  std::string clusters;             ///< kind service: the subscription's filter
  name_fired name;                  ///< kind name
  std::shared_ptr<const name_batch> names; ///< kind names
  std::string text;                 ///< kind name: the pattern; reset: ip:port
};

/// The stream's write side, implemented by the front-end. Called by the
/// connection actor only; must not block. Lives as long as the actor.
class push_sink {
public:
  virtual ~push_sink() = default;
  /// Renders and queues one push; the client's answer comes back as
  /// `push_answered{request_id}`. False: the stream is over or its send queue is
  /// full (the actor counts it as a failed push).
  virtual bool push(const push_item& item, std::uint64_t request_id) = 0;
  /// Ends the stream with a non-OK status. Idempotent.
  virtual void close(std::string_view reason) = 0;
};

/// Publishes ephemeral instances of this client to one service (empty list =
/// none) and remembers them. -> done, by the service's actor; if that dies before
/// it answers, the requester is told so, and the successor gets what was sent.
struct client_publish {
  request_meta meta;
  service_key key;
  std::vector<std::shared_ptr<const naming::instance>> instances;
};
/// -> done
struct client_retract {
  request_meta meta;
  service_key key;
};
/// Subscribes to a service (one subscription per service; a second one replaces
/// the filter). -> the current view
struct client_subscribe {
  request_meta meta;
  service_key key;
  std::string clusters;
};
/// -> done, also if there was none.
struct client_unsubscribe {
  request_meta meta;
  service_key key;
};
/// Adds and removes config watches. -> done, once all are registered.
struct client_listen {
  request_meta meta;
  std::vector<config_key> add;
  std::vector<config_key> remove;
};
/// Starts a fuzzy watch, or renews it (same kind and pattern: replaced, nothing
/// else changes). -> done, once the actor is registered for the names of `space`
/// (`watch_names`), so that a listing made after the answer misses nothing.
/// From then on every `name_fired` that some watch of that kind and space
/// accepts is pushed once (kind name, `text` = the first pattern that accepts).
struct client_watch_names {
  request_meta meta;
  name_kind kind = name_kind::config;
  std::string space;
  std::string pattern; ///< identity of the watch within its kind
  /// Whether a name is in the pattern. Pure, any thread.
  std::function<bool(std::string_view group, std::string_view name)> accepts;
};
/// Forgets a fuzzy watch and what was queued for it. -> done, also if unknown
struct client_unwatch_names {
  request_meta meta;
  name_kind kind = name_kind::config;
  std::string space;
  std::string pattern;
};
/// Pushes the batches of one synchronisation (kind names), each retried like a
/// change. All but a closing `finish` one may be in flight together; that one is
/// pushed when all before it were answered well. Replaces a synchronisation of
/// the same watch that still runs; ignored if the watch is unknown.
struct client_sync_names {
  std::vector<std::shared_ptr<const name_batch>> batches;
};
/// Asks the client to move (kind reset, `text` = `ip:port` or empty for "another
/// of your list"). Pushed once; the client is not cut off if it stays.
struct client_reset {
  std::string target;
};
/// The client answered a push.
struct push_answered {
  std::uint64_t request_id = 0;
  bool ok = false;
};
/// A sign of life (a request; answers of pushes count by themselves). Front-ends
/// send at most one a second for each client.
struct client_active {};
/// The transport or stream ended.
struct stream_closed {};

using connection_actor
  = caf::typed_actor<caf::replies_to<client_publish>::with<done>,
                     caf::replies_to<client_retract>::with<done>,
                     caf::replies_to<client_subscribe>::with<naming::service_view_ptr>,
                     caf::replies_to<client_unsubscribe>::with<done>,
                     caf::replies_to<client_listen>::with<done>,
                     caf::replies_to<client_watch_names>::with<done>,
                     caf::replies_to<client_unwatch_names>::with<done>,
                     caf::reacts_to<client_sync_names>,
                     caf::reacts_to<client_reset>,
                     caf::reacts_to<push_answered>,
                     caf::reacts_to<client_active>,
                     caf::reacts_to<stream_closed>>;

} // namespace muster::api

#define MUSTER_LOCAL(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::type)
MUSTER_LOCAL(api::client_publish)
MUSTER_LOCAL(api::client_retract)
MUSTER_LOCAL(api::client_subscribe)
MUSTER_LOCAL(api::client_unsubscribe)
MUSTER_LOCAL(api::client_listen)
MUSTER_LOCAL(api::client_watch_names)
MUSTER_LOCAL(api::client_unwatch_names)
MUSTER_LOCAL(api::client_sync_names)
MUSTER_LOCAL(api::client_reset)
MUSTER_LOCAL(api::push_answered)
MUSTER_LOCAL(api::client_active)
MUSTER_LOCAL(api::stream_closed)
#undef MUSTER_LOCAL
