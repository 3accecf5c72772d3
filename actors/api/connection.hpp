#pragma once

#include <cstdint>
#include <memory>
#include <string>
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

/// One thing to push. Data is read at send time, so that the last state wins;
/// `key` makes pushes of the same thing replace each other while queued.
struct push_item {
  enum class what : std::uint8_t { config, service, name, probe, reset };
  what kind = what::probe;
  std::string key;
  config_key config;                ///< kind config
  naming::service_view_ptr service; ///< kind service
  std::string clusters;             ///< kind service: the subscription's filter
  name_fired name;                  ///< kind name
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
/// none) and remembers them. -> done
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
/// The client answered a push.
struct push_answered {
  std::uint64_t request_id = 0;
  bool ok = false;
};
/// Any sign of life from the client.
struct client_active {};
/// The transport or stream ended.
struct stream_closed {};

using connection_actor
  = caf::typed_actor<caf::replies_to<client_publish>::with<done>,
                     caf::replies_to<client_retract>::with<done>,
                     caf::replies_to<client_subscribe>::with<naming::service_view_ptr>,
                     caf::replies_to<client_unsubscribe>::with<done>,
                     caf::replies_to<client_listen>::with<done>,
                     caf::reacts_to<push_answered>,
                     caf::reacts_to<client_active>,
                     caf::reacts_to<stream_closed>>;

} // namespace muster::api
