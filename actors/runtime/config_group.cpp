#include "actors/runtime/config_group.hpp"

#include <utility>

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/runtime/accept.hpp"
#include "actors/runtime/fan_out.hpp"
#include "actors/runtime/monitors.hpp"

namespace muster::runtime {

namespace {

/// To oneself: go on telling watchers.
struct tell_more {};
/// To oneself: look whether anybody watches.
struct check_idle {};
/// To oneself: nobody can find this group any more.
struct linger_over {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::tell_more)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::check_idle)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::linger_over)

namespace muster::runtime {

namespace {

using group_actor
  = api::config_group_actor::extend<caf::reacts_to<tell_more>,
                                    caf::reacts_to<check_idle>,
                                    caf::reacts_to<linger_over>>;

class config_group {
public:
  static constexpr const char* actor_name = "config_group";

  config_group(group_actor::pointer self, config_group_parts parts)
    : self_(self),
      parts_(std::move(parts)),
      rules_(parts_.node.naming),
      hub_(rules_.watches_max),
      watched_(self) {
    note_idle();
    self_->delayed_send(self_, rules_.idle_group_kept, check_idle{});
  }

  template <class M>
  caf::result<api::done> accept(const M& m) {
    reply to{self_};
    if (retired_)
      pass_on(m, share(std::move(to)));
    else
      handle(m, to);
    return caf::delegated<api::done>{};
  }

  void on_event(const model::event& e) {
    const auto* change = std::get_if<model::config_changed>(&e.what);
    if (!change || !change->content_changed)
      return;
    const bool idle = telling_.empty();
    telling_.add(change->key.data_id, hub_.fire(change->key.data_id),
                 api::config_fired{{}, *change});
    if (idle)
      tell();
  }

  void tell() {
    telling_.step(rules_.fan_out_chunk);
    if (!telling_.empty())
      self_->send(self_, tell_more{});
  }

  void on_down(const caf::down_msg& m) {
    watched_.gone(m.source);
    if (m.source == parts_.parent.address())
      self_->quit(); // the node stops: nobody needs this any more
    if (const auto target = caf::actor_cast<caf::actor>(m.source))
      hub_.drop(target);
    note_idle();
  }

  void check() {
    const auto now = parts_.node.serving.now();
    const auto left = idle_since_ + rules_.idle_group_kept - now;
    if (!hub_.empty() || left > milliseconds{0}) {
      self_->delayed_send(self_,
                          hub_.empty() ? left : rules_.idle_group_kept,
                          check_idle{});
      return;
    }
    self_
      ->request(parts_.parent, rules_.request_timeout,
                retire_group{parts_.group, self_})
      .then([this](const api::done&) { retire(); },
            [this](const caf::error&) {
              self_->delayed_send(self_, rules_.idle_group_kept, check_idle{});
            });
  }

private:
  void handle(const api::watch_configs& m, reply& to) {
    if (const auto ok = hub_.watch({m.who.target, m.who.token}, m.data_ids);
        !ok) {
      to.fail(ok.error());
      return;
    }
    watched_.add(m.who.target);
    to.deliver(api::done{});
  }

  void handle(const api::unwatch_configs& m, reply& to) {
    hub_.unwatch({m.who.target, m.who.token}, m.data_ids);
    note_idle();
    to.deliver(api::done{});
  }

  void note_idle() {
    if (hub_.empty())
      idle_since_ = parts_.node.serving.now();
  }

  /// The directory has forgotten this group. Whoever watched meanwhile learns by
  /// its end that it has to watch anew; whoever still comes is passed on.
  void retire() {
    retired_ = true;
    watched_.add(parts_.parent);
    self_->delayed_send(self_, hub_.empty() ? rules_.request_timeout
                                            : milliseconds{0},
                        linger_over{});
  }

  template <class M>
  void pass_on(const M& m, owed_reply to) {
    self_
      ->request(parts_.parent, rules_.request_timeout,
                api::open_config_group{{}, parts_.space, parts_.group})
      .then(
        [this, m, to](const api::config_group_actor& next) {
          self_->request(next, rules_.request_timeout, m)
            .then([to](const api::done& d) { to->deliver(d); }, fail_with(to));
        },
        fail_with(to));
  }

  group_actor::pointer self_;
  config_group_parts parts_;
  const naming_settings& rules_;
  watch::hub<caf::actor> hub_;
  fan_out<api::config_fired> telling_;
  monitors watched_;
  /// Since when nobody watches; meaningless while somebody does.
  steady_time idle_since_{};
  bool retired_ = false;
};

group_actor::behavior_type
run_config_group(group_actor::stateful_pointer<holder<config_group>> self,
                 const config_group_parts& parts) {
  auto& g = self->state.it.emplace(self, parts);
  drop_unexpected(self);
  self->set_down_handler([&g](const caf::down_msg& m) { g.on_down(m); });
  return {
    [&g](const api::watch_configs& m) { return g.accept(m); },
    [&g](const api::unwatch_configs& m) { return g.accept(m); },
    [&g](const model::event& e) { g.on_event(e); },
    [&g](tell_more) { g.tell(); },
    [&g](check_idle) { g.check(); },
    [self](linger_over) { self->quit(); },
  };
}

} // namespace

api::config_group_actor spawn_config_group(caf::actor_system& system,
                                           config_group_parts parts) {
  return system.spawn(run_config_group, std::move(parts));
}

} // namespace muster::runtime
