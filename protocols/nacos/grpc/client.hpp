#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>

#include "actors/api/connection.hpp"
#include "actors/core/base/clock.hpp"
#include "protocols/grpc/call.hpp"

namespace muster::nacos::remote {

/// A registered client: one stream and the actor that stands for it.
///
/// Made when the set-up arrives, given up when the stream ends. The actor pushes
/// through it (`push_sink`), front-end threads read it; all members are for any
/// thread. Nothing is pushed before the client's first request, since watches
/// come from requests; so no push can overtake the set-up's answer, nor come
/// while a client is still moving over (nacos-grpc 3.5).
class client final : public api::push_sink {
public:
  /// `server_ip`: what pushes name as their sender. `on_close` is called once,
  /// when the actor gives the client up.
  client(api::client_info info, std::shared_ptr<rpc::stream> stream,
         std::string server_ip, const clock& time,
         std::function<void(client&)> on_close);

  const api::client_info& info() const noexcept { return info_; }
  std::string_view peer() const noexcept { return stream_->peer(); }

  /// Set once, before the client is registered.
  void attach(api::connection_actor actor) { actor_ = std::move(actor); }
  const api::connection_actor& actor() const noexcept { return actor_; }

  /// Whether it may publish and subscribe: only connections of the modules
  /// `naming` and `ai` can (nacos-grpc 7.5).
  bool is_naming() const noexcept { return naming_; }

  /// A request came: tells the actor, at most once a second.
  void touch(steady_time now);

  /// When it registered, and how long ago its last request came (to a second).
  wall_time since() const noexcept { return since_; }
  milliseconds silent_for(steady_time now) const noexcept;

  /// When it was asked to move to another server; the clock's beginning: never.
  void note_asked_to_move(steady_time now) { asked_to_move_.store(now); }
  steady_time asked_to_move() const { return asked_to_move_.load(); }

  /// Sends the set-up's answer.
  void send_setup_ack();

  /// The stream is over; nothing is to be held for this client any more.
  void mark_ended() { ended_.store(true); }
  bool ended() const { return ended_.load(); }

  bool push(const api::push_item& item, std::uint64_t request_id) override;
  void close(std::string_view reason) override;

  // -- how this client spells the public namespace (nacos-grpc 6.8) -------------

  /// It listens to this config and left the namespace blank, or did not.
  void note_tenant(const config_key& key, bool blank);
  void forget_tenant(const config_key& key);
  bool left_tenant_blank(const config_key& key) const;

private:
  static std::size_t hash_of(const config_key& key);

  const api::client_info info_;
  const std::shared_ptr<rpc::stream> stream_;
  const std::string server_ip_;
  const std::function<void(client&)> on_close_;
  const bool naming_;
  api::connection_actor actor_;
  const wall_time since_;
  std::atomic<steady_time> asked_to_move_{};
  std::atomic<std::int64_t> told_active_ms_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> ended_{false};

  mutable std::mutex mutex_;
  bool usual_known_ = false;
  bool usually_blank_ = true;
  /// Hashes of the keys that are spelled unlike the first one was.
  std::unordered_set<std::size_t> unusual_;
};

} // namespace muster::nacos::remote
