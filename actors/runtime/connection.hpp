#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/core/watch/liveness.hpp"
#include "actors/core/watch/push_core.hpp"
#include "actors/runtime/accept.hpp"
#include "actors/runtime/context.hpp"
#include "actors/runtime/links.hpp"

/// The inside of a connection actor; `spawn_connection` in context.hpp is what
/// others use.
namespace muster::runtime {

/// Messages to oneself. Something may be due; only the newest generation counts.
struct connection_tick {
  std::uint64_t generation = 0;
};
/// The time has come to push this.
struct push_later {
  config_key config;
};
/// Open this again; exactly one is set.
struct retry_link {
  std::optional<service_key> service;
  std::optional<config_key> group; ///< without a data id
  std::optional<std::string> space;
};

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::connection_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::push_later)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::retry_link)

namespace muster::runtime {

using connection_impl = api::connection_actor::extend<
  caf::reacts_to<api::config_fired>, caf::reacts_to<api::service_fired>,
  caf::reacts_to<api::name_fired>, caf::reacts_to<connection_tick>,
  caf::reacts_to<push_later>, caf::reacts_to<retry_link>,
  caf::reacts_to<api::publish_refused>>;

/// What one client published and watches, and what it is told. Everything runs
/// on the actor's thread.
class connection {
public:
  static constexpr const char* actor_name = "connection";

  connection(connection_impl::pointer self, node_context& node,
             api::client_info info, std::shared_ptr<api::push_sink> sink);
  ~connection();

  caf::result<api::done> publish(const api::client_publish& m);
  caf::result<api::done> retract(const api::client_retract& m);
  caf::result<naming::service_view_ptr>
  subscribe(const api::client_subscribe& m);
  caf::result<api::done> unsubscribe(const api::client_unsubscribe& m);
  caf::result<api::done> listen(const api::client_listen& m);
  caf::result<api::done> watch_names(const api::client_watch_names& m);
  caf::result<api::done> unwatch_names(const api::client_unwatch_names& m);
  void sync_names(const api::client_sync_names& m);
  void reset(const api::client_reset& m);

  void refused(const api::publish_refused& m);
  void fired(const api::config_fired& m);
  void fired(const api::service_fired& m);
  void fired(const api::name_fired& m);
  void answered(const api::push_answered& m);
  void on_down(const caf::down_msg& m);
  void tick(const connection_tick& m);
  void push_now(const push_later& m);
  void retry(const retry_link& m);

  /// A sign of life.
  void alive();
  void client_ended() {
    client_ended_ = true;
    if (!outlive_stream())
      self_->quit();
  }

private:
  /// What this client has to do with one service.
  struct service_use {
    /// What a successor of the service's actor is told; empty = none.
    std::vector<naming::instance_ptr> instances;
    bool subscribed = false;
    bool pushed = false; ///< since it subscribed
    std::string clusters;
    naming::service_view_ptr view; ///< newest one told
    std::size_t in_progress = 0;   ///< requests without an answer yet
    bool needed() const {
      return !instances.empty() || subscribed || in_progress > 0;
    }
  };
  struct group_use {
    std::set<std::string> data_ids;
    std::size_t in_progress = 0;
    bool needed() const { return !data_ids.empty() || in_progress > 0; }
  };
  /// One answer for several requests: the last of them gives it.
  struct joint {
    reply to;
    std::size_t left = 0;
    std::optional<error> failure;
    void settle() {
      if (--left > 0)
        return;
      if (failure)
        to.fail(*failure);
      else
        to.deliver(api::done{});
    }
  };
  struct name_watch {
    api::client_watch_names what; ///< `meta` is not used
    /// A synchronisation that runs: its unanswered pushes, what closes it.
    std::set<std::string> unanswered;
    std::shared_ptr<const api::name_batch> finish;
  };
  using service_links = links<service_key, api::service_actor>;
  using group_links = links<config_key, api::config_group_actor>;
  using space_links = links<std::string, caf::actor, std::hash<std::string>>;

  service_links::hooks service_hooks();
  group_links::hooks group_hooks();
  space_links::hooks space_hooks();

  /// Sends `message` to the service's (group's) actor, once there is one.
  /// `on_answer(use, answer)` meets `to`; an error is passed on.
  template <class Answer, class M, class F>
  void ask_service(const service_key& key, owed_reply to, M message,
                   F on_answer);
  template <class M, class F>
  void ask_group(const config_key& group, std::shared_ptr<joint> job, M message,
                 F on_done);
  /// Sends on what is being handled, once there is an actor; that answers whom
  /// this one was asked by. `sent(use)` comes just before.
  template <class M, class F>
  void leave_to_service(const service_key& key, M message, F sent);
  bool has_room_for(const service_key& key) const;
  void redo_service(const service_key& key, const api::service_actor& actor);
  void redo_group(const config_key& group,
                  const api::config_group_actor& actor);
  void redo_space(const std::string& space, const caf::actor& actor);
  void add_listens(const config_key& group, std::vector<std::string> ids,
                   const std::shared_ptr<joint>& job);
  void drop_listens(const config_key& group, std::vector<std::string> ids,
                    const std::shared_ptr<joint>& job);
  void tidy_service(const service_key& key);
  void tidy_group(const config_key& group);
  void service_seen(const service_key& key, naming::service_view_ptr view);

  name_watch* find_watch(api::name_kind kind, std::string_view space,
                         std::string_view pattern);
  bool watches_any(api::name_kind kind, std::string_view space) const;
  void end_sync(name_watch& w);
  void sync_answered(const std::string& key);
  void push_batch(name_watch& w, std::shared_ptr<const api::name_batch> batch);

  /// Whether a client whose stream ended is likely to go on at another node.
  bool may_be_elsewhere() const;
  /// What was published here stays, while the client publishes it elsewhere,
  /// and goes unnoticed then. False: it has ended.
  bool outlive_stream();
  /// A client that was asked to move has so long to go, and from then on so long
  /// to publish elsewhere what it has published here: clients redo that within
  /// 30 s (nacos-grpc 3.9).
  static constexpr milliseconds moved_kept{30'000};
  /// A view of a service whose instances are kept for a client that moved.
  void seen_elsewhere(const naming::service_view& view);

  void push_config(const config_key& key);
  static bool is_news(const service_use& use, const naming::service_view& view);
  void push_service(const service_key& key, service_use& use);
  void push(watch::push_kind kind, api::push_item item);
  void forget(const std::string& key);
  bool send(const std::string& key, std::uint64_t request_id);
  void carry_out(watch::push_core::output out);
  void close(std::string reason);
  /// Nothing of this client or for it is kept here.
  bool is_unused() const {
    return services_.empty() && groups_.empty() && name_watches_.empty();
  }
  void schedule();

  /// Tokens are not needed: what fired says what it is.
  api::watcher me() const { return {caf::actor_cast<caf::actor>(self_), 0}; }
  steady_time now() const { return node_.serving.now(); }

  connection_impl::pointer self_;
  node_context& node_;
  const naming_settings& rules_;
  const std::string id_;
  const std::shared_ptr<api::push_sink> sink_;

  std::unordered_map<service_key, service_use, key_hash> services_;
  std::unordered_map<config_key, group_use, key_hash> groups_;
  std::vector<name_watch> name_watches_;
  /// When the client last listened.
  steady_time listened_at_{};
  std::size_t listens_ = 0;
  service_links service_links_;
  group_links group_links_;
  space_links space_links_;

  watch::push_core pushes_;
  /// What the keys in `pushes_` stand for.
  std::unordered_map<std::string, api::push_item> items_;
  watch::liveness liveness_;
  bool open_ = false;

  std::uint64_t tick_generation_ = 0;
  std::optional<steady_time> tick_at_;
  /// The client was asked to move, and may be about to until then.
  steady_time moving_until_{};
  bool outlived_ = false; ///< the stream ended, this waits
  bool client_ended_ = false;
  std::string end_reason_{"the server ends this stream"};
};

} // namespace muster::runtime
