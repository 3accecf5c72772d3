#include "actors/runtime/service.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/core/base/backoff.hpp"
#include "actors/core/naming/change_rules.hpp"
#include "actors/runtime/accept.hpp"
#include "actors/runtime/distro.hpp"
#include "actors/runtime/fan_out.hpp"
#include "actors/runtime/monitors.hpp"

namespace muster::runtime {

namespace {

/// Messages to oneself. Publish one view for all that changed meanwhile.
struct flush_view {};
/// Something may be due. Only the newest generation counts.
struct service_tick {
  std::uint64_t generation = 0;
};
/// The merge window is over: tell watchers.
struct push_view {};
struct push_more {};
/// Try again to read what is stored.
struct reload_stored {};
/// Nobody can find this actor any more.
struct retired_long_enough {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::flush_view)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::service_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::push_view)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::push_more)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::reload_stored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::retired_long_enough)

namespace muster::runtime {

namespace {

using impl_actor = api::service_actor::extend<
  caf::replies_to<distro_orders>::with<api::done>, caf::reacts_to<flush_view>,
  caf::reacts_to<service_tick>, caf::reacts_to<push_view>,
  caf::reacts_to<push_more>,
  caf::reacts_to<reload_stored>, caf::reacts_to<retired_long_enough>>;

/// Ticks closer together than this are merged into one.
constexpr milliseconds tick_min{500};

class service {
public:
  static constexpr const char* actor_name = "service";

  service(impl_actor::pointer self, service_parts parts);

  template <class Answer, class M>
  caf::result<Answer> accept(const M& m) {
    take<Answer>(m, reply{self_});
    return caf::delegated<Answer>{};
  }

  void on_event(const model::event& e);
  void on_down(const caf::down_msg& m);
  void flush();
  void tick(const service_tick& m);
  void arm_push();
  void push();
  void push_more_now();
  void load();
  void reload() {
    loading_ = false;
    load();
  }
  std::size_t watchers() const { return hub_.size(); }

private:
  using answer
    = std::variant<api::done, api::beat_answer, model::outcome>;
  struct owed_answer {
    reply to;
    answer value;
  };
  struct shown_later {
    model::outcome outcome;
    reply to;
  };

  /// Takes a request: now, or later, or not at all because this service has been
  /// forgotten and has a successor.
  template <class Answer, class M>
  void take(const M& m, reply to) {
    if (retired_)
      pass_on<Answer>(m, share(std::move(to)));
    else if (!must_wait(m))
      handle(m, std::move(to));
    else
      waiting_.push_back([this, m, owed = share(std::move(to))] {
        take<Answer>(m, std::move(*owed));
      });
  }

  void handle(const api::publish_instances& m, reply to);
  void handle(const api::retract_instances& m, reply to);
  void handle(const api::beat_instance& m, reply to);
  void handle(const api::change_service& m, reply to);
  void handle(const distro_orders& m, reply to);
  void handle(const api::watch_service& m, reply to);
  void handle(const api::unwatch_service& m, reply to);

  /// Before what is stored is known, and while it is being forgotten, nobody is
  /// served; and whoever registers waits while a change that may fix the other
  /// kind is in progress.
  template <class M>
  bool must_wait(const M&) const {
    constexpr bool registers = std::is_same_v<M, api::publish_instances>
                               || std::is_same_v<M, api::beat_instance>;
    const bool changing = fixing_ > 0 || !unshown_.empty();
    return !loaded_ || asked_to_retire_
           || (registers && changing && !core_.kind_fixed());
  }

  template <class Answer, class M>
  void pass_on(const M& m, owed_reply to);

  /// The node that is to do this, if it is another one.
  template <class M>
  std::optional<node_id> elsewhere(const M& m) const;
  template <class Answer, class M>
  void call(node_id node, M m, distro::client_call call, reply to);
  void tell_others();

  /// The answer goes out with the next view, or at once if there is none due.
  template <class T>
  void answer_shown(reply to, T value) {
    if (core_.dirty())
      owed_.push_back({std::move(to), std::move(value)});
    else
      to.deliver(std::move(value));
    changed();
  }

  void changed();
  void schedule();
  void stored(const api::service_state& state);
  void load_failed(const error& e);
  void propose(naming::command_ptr command, std::size_t& in_progress, reply to);
  void proposed(const model::outcome& outcome, reply& to);
  void run_waiting();
  void tell_presence();
  void tidy(steady_time now);
  void ask_to_retire();
  void retire();
  steady_time now() const { return parts_.node.serving.now(); }

  impl_actor::pointer self_;
  service_parts parts_;
  const naming_settings& rules_;
  distro_share* const share_; ///< null on a node that stands alone
  naming::service_core core_;
  monitors monitored_;
  /// Client ids by the connection that published.
  std::unordered_map<caf::actor_addr, std::string> owners_;
  watch::hub<caf::actor> hub_;
  fan_out<api::service_fired> telling_;

  /// Answers that go out with the next view.
  std::vector<owed_answer> owed_;
  bool flush_sent_ = false;
  bool push_armed_ = false;
  /// A view was published since watchers were told.
  bool untold_ = false;
  /// Watches that began since then.
  std::vector<watch::hub<caf::actor>::fired> newcomers_;
  /// What the parent was told about hosts.
  std::optional<bool> present_;

  /// What is stored: read up to `loaded_index_`, known to have changed up to
  /// `wanted_index_`.
  bool loaded_ = false;
  bool loading_ = false;
  log_index loaded_index_;
  log_index wanted_index_;
  backoff reload_delay_;
  std::vector<shown_later> unshown_;
  std::vector<std::function<void()>> waiting_;
  /// Changes in progress: those that may fix the kind, those of `tidy`, others.
  std::size_t fixing_ = 0;
  std::size_t tidying_ = 0;
  std::size_t others_ = 0;

  std::uint64_t tick_generation_ = 0;
  std::optional<steady_time> tick_at_;
  bool asked_to_retire_ = false;
  bool retired_ = false;
};

service::service(impl_actor::pointer self, service_parts parts)
  : self_(self),
    parts_(std::move(parts)),
    rules_(parts_.node.naming),
    share_(parts_.node.distro),
    core_(parts_.slot->key(), rules_.service, now(),
          share_ ? &share_->sharing : nullptr),
    monitored_(self),
    hub_(rules_.watches_max) {
  core_.take_over(*parts_.slot->view(), now());
  load();
}

// -- requests -----------------------------------------------------------------

void service::handle(const api::publish_instances& m, reply to) {
  if (const auto node = m.owner ? std::nullopt : elsewhere(m)) {
    using what = distro::client_call::what;
    call<api::done>(*node, m, {what::publish, {}, m.client_id, 0, m.instances},
                    std::move(to));
    return;
  }
  const auto kind = m.owner ? naming::client_kind::stream
                            : naming::client_kind::heart_beat;
  if (auto ok = core_.publish(m.client_id, kind, m.instances, now()); !ok) {
    if (m.owner)
      caf::anon_send(m.owner,
                     api::publish_refused{core_.key(), m.instances,
                                          core_.published_by(m.client_id)});
    to.fail(ok.error());
    return;
  }
  if (m.owner) {
    owners_.insert_or_assign(m.owner.address(), m.client_id);
    monitored_.add(m.owner);
  }
  answer_shown(std::move(to), api::done{});
}

void service::handle(const api::retract_instances& m, reply to) {
  if (const auto node = elsewhere(m)) {
    using what = distro::client_call::what;
    call<api::done>(*node, m, {what::retract, {}, m.client_id, 0, {}},
                    std::move(to));
    return;
  }
  core_.retract(m.client_id, now());
  answer_shown(std::move(to), api::done{});
}

void service::handle(const api::beat_instance& m, reply to) {
  if (const auto node = elsewhere(m)) {
    using what = distro::client_call::what;
    distro::client_call beat{what::beat, {}, m.client_id, 0, {}};
    if (m.full)
      beat.instances.push_back(m.full);
    call<api::beat_answer>(*node, m, std::move(beat), std::move(to));
    return;
  }
  const auto beat = core_.beat(m.client_id, m.full, now());
  if (!beat)
    to.fail(beat.error());
  else
    answer_shown(std::move(to), api::beat_answer{beat->known, beat->interval});
}

void service::handle(const api::change_service& m, reply to) {
  auto next = naming::prepare_change(core_, m.command, now());
  if (auto* decided = std::get_if<naming::decided>(&next)) {
    answer_shown(std::move(to), std::move(*decided));
    return;
  }
  auto command = std::get<naming::command_ptr>(std::move(next));
  auto& in_progress = naming::fixes_kind(*command) ? fixing_ : others_;
  propose(std::move(command), in_progress, std::move(to));
}

void service::handle(const api::watch_service& m, reply to) {
  static const std::vector<std::string> only_name{std::string{}};
  const auto watchers_before = hub_.size();
  if (const auto ok = hub_.watch({m.who.target, m.who.token}, only_name); !ok) {
    to.fail(ok.error());
    return;
  }
  // A first watch is followed by a notification of its own: Java's client
  // subscribes anew after a break and does not read the answer.
  if (hub_.size() > watchers_before) {
    newcomers_.push_back({m.who.target, {m.who.token}});
    arm_push();
  }
  monitored_.add(m.who.target);
  core_.set_watched(true, now());
  to.deliver(parts_.slot->view());
}

void service::handle(const api::unwatch_service& m, reply to) {
  hub_.unwatch({m.who.target, m.who.token}, {});
  core_.set_watched(!hub_.empty(), now());
  schedule();
  to.deliver(api::done{});
}

void service::on_down(const caf::down_msg& m) {
  monitored_.gone(m.source);
  if (m.source == parts_.parent.address()) {
    self_->quit(); // the node stops: nobody needs this any more
    return;
  }
  if (const auto owner = owners_.find(m.source); owner != owners_.end()) {
    // When this node stops, its clients connect to others: it is not said that
    // they ended.
    if (!share_ || m.reason != caf::exit_reason::user_shutdown)
      core_.retract(owner->second, now());
    owners_.erase(owner);
  }
  if (const auto target = caf::actor_cast<caf::actor>(m.source))
    hub_.drop(target);
  core_.set_watched(!hub_.empty(), now());
  changed();
}

// -- views --------------------------------------------------------------------

void service::changed() {
  if (core_.dirty() && !flush_sent_) {
    flush_sent_ = true;
    self_->send(self_, flush_view{});
  } else {
    schedule();
  }
}

void service::flush() {
  flush_sent_ = false;
  if (core_.dirty()) {
    parts_.slot->publish(core_.publish_view(parts_.node.time.wall()));
    tell_others();
    untold_ = true;
    if (!hub_.empty())
      arm_push();
  }
  for (auto& o : std::exchange(owed_, {}))
    std::visit([&](auto& value) { o.to.deliver(std::move(value)); }, o.value);
  tell_presence();
  schedule();
}

void service::tell_presence() {
  if (present_ == core_.has_hosts())
    return;
  present_ = core_.has_hosts();
  self_->send(parts_.parent, service_presence{parts_.slot, *present_});
}

void service::arm_push() {
  if (std::exchange(push_armed_, true))
    return;
  self_->delayed_send(self_, rules_.push_merge, push_view{});
}

void service::push() {
  push_armed_ = false;
  const bool idle = telling_.empty();
  auto newcomers = std::exchange(newcomers_, {});
  api::service_fired event{{}, parts_.slot->view()};
  if (std::exchange(untold_, false))
    telling_.add({}, hub_.fire({}), std::move(event));
  else
    telling_.add("newcomers", std::move(newcomers), std::move(event));
  if (idle)
    push_more_now();
}

void service::push_more_now() {
  telling_.step(rules_.fan_out_chunk);
  if (!telling_.empty())
    self_->send(self_, push_more{});
}

// -- other nodes --------------------------------------------------------------

template <class M>
std::optional<node_id> service::elsewhere(const M& m) const {
  if (!share_ || m.here || !naming::lives_by_beats(m.client_id))
    return std::nullopt;
  const auto ring = share_->ring.load();
  if (!ring)
    return std::nullopt;
  const auto node = ring->responsible(m.client_id);
  return node == ring->self() ? std::nullopt : std::optional(node);
}

/// Has the responsible node do it. If that cannot be reached it is done here:
/// this node owns the client from then on, and a client is never turned away
/// because of a node it does not know.
template <class Answer, class M>
void service::call(node_id node, M m, distro::client_call call, reply to) {
  call.service = core_.key();
  call.revision = core_.revision_of(m.client_id);
  m.here = true;
  auto owed = share(std::move(to));
  const auto do_here = [this, m, owed] { take<Answer>(m, std::move(*owed)); };
  const auto distro = share_->actor();
  if (!distro) {
    do_here();
    return;
  }
  self_
    ->request(distro, rules_.request_timeout,
              call_elsewhere{node, std::move(call)})
    .then(
      [this, owed, do_here](const distro::call_answer& a) {
        const auto code = a.failure.code;
        if (code == errc::unavailable || code == errc::unknown)
          do_here();
        else if (code != errc::ok)
          owed->fail(a.failure);
        else if constexpr (std::is_same_v<Answer, api::beat_answer>)
          answer_shown(std::move(*owed), Answer{a.known, a.interval});
        else
          answer_shown(std::move(*owed), Answer{});
      },
      [do_here](const caf::error&) { do_here(); });
}

void service::handle(const distro_orders& m, reply to) {
  using what = distro::order::what;
  for (const auto& o : m.all) {
    const auto& p = *o.publication;
    switch (o.kind) {
      case what::apply:
        core_.apply(p, o.responsible, now());
        break;
      case what::remove:
        core_.apply_removal(p, now());
        break;
      case what::adopt:
        core_.adopt(p.client_id, p.from.revision, now());
        break;
      case what::abandon:
        core_.abandon(p.client_id, p.from.revision, now());
        break;
    }
  }
  answer_shown(std::move(to), api::done{});
}

/// The view shows it already: a distro that is just starting reads it there.
void service::tell_others() {
  if (!share_)
    return;
  auto changes = core_.take_changes();
  const auto distro = share_->actor();
  if (!changes.empty() && distro)
    self_->send(distro, publications_changed{std::move(changes)});
}

// -- what is stored -----------------------------------------------------------

void service::on_event(const model::event& e) {
  if (e.index <= loaded_index_)
    return;
  wanted_index_ = std::max(wanted_index_, e.index);
  load();
}

void service::load() {
  if (loading_)
    return;
  loading_ = true;
  reload_delay_.started(now());
  const auto tables = parts_.node.tables(meta_partition);
  if (!tables) {
    load_failed({errc::unavailable, "the tables' worker is restarting"});
    return;
  }
  self_
    ->request(tables, rules_.request_timeout,
              api::load_service{{}, parts_.slot->key()})
    .then([this](const api::service_state& s) { stored(s); },
          [this](const caf::error& e) { load_failed(api::from_caf(e)); });
}

void service::stored(const api::service_state& state) {
  loading_ = false;
  reload_delay_ = {};
  loaded_index_ = std::max(loaded_index_, state.index);
  core_.load(to_stored(state), now());
  std::erase_if(unshown_, [this](shown_later& s) {
    if (s.outcome.index > loaded_index_)
      return false;
    owed_.push_back({std::move(s.to), std::move(s.outcome)});
    return true;
  });
  if (!loaded_) {
    // The first view, before anybody may ask for it.
    loaded_ = true;
    flush();
    self_->send(parts_.parent, service_up{parts_.slot});
  }
  run_waiting();
  changed();
  if (loaded_index_ < wanted_index_)
    load();
}

void service::load_failed(const error& e) {
  const auto wait = std::max(reload_delay_.died(now()), backoff::first);
  spdlog::warn("service {}@@{}: what is stored cannot be read ({}), again in "
               "{} ms",
               parts_.slot->key().group, parts_.slot->key().service, e.message,
               wait.count());
  for (auto& s : std::exchange(unshown_, {}))
    s.to.fail({errc::unknown, "the change is made but cannot be shown yet"});
  self_->delayed_send(self_, wait, reload_stored{});
}

void service::propose(naming::command_ptr command, std::size_t& in_progress,
                      reply to) {
  const auto replica = parts_.node.replica(meta_partition);
  if (!replica) {
    to.fail({errc::unavailable, "partition 0 is restarting"});
    return;
  }
  ++in_progress;
  const auto settled = [this, &in_progress] {
    --in_progress;
    run_waiting();
  };
  auto owed = share(std::move(to));
  self_
    ->request(replica, rules_.request_timeout,
              api::propose{{}, std::move(command)})
    .then(
      [this, owed, settled](const model::outcome& outcome) {
        proposed(outcome, *owed);
        settled();
      },
      [owed, settled](const caf::error& e) {
        // Without an answer it may have happened; "unavailable" from the
        // replica itself says that it did not.
        const bool silent = e == caf::sec::request_timeout
                            || e == caf::sec::request_receiver_down;
        if (silent)
          owed->fail({errc::unknown, "no answer from partition 0"});
        else
          owed->fail(api::from_caf(e));
        settled();
      });
}

void service::proposed(const model::outcome& outcome, reply& to) {
  if (outcome.code != errc::ok || outcome.index <= loaded_index_) {
    answer_shown(std::move(to), outcome);
    return;
  }
  wanted_index_ = std::max(wanted_index_, outcome.index);
  unshown_.push_back({outcome, std::move(to)});
  load();
}

void service::run_waiting() {
  for (auto& run : std::exchange(waiting_, {}))
    run();
}

// -- time ---------------------------------------------------------------------

void service::schedule() {
  const auto due = core_.next_deadline();
  if (!due || retired_ || asked_to_retire_)
    return;
  // What is overdue must not put off the tick that is on its way: each beat
  // comes here.
  const auto at = now();
  const auto wait = std::max(*due - at, tick_min);
  if (tick_at_ && *tick_at_ <= at + wait)
    return;
  tick_at_ = at + wait;
  self_->delayed_send(self_, wait, service_tick{++tick_generation_});
}

void service::tick(const service_tick& m) {
  if (m.generation != tick_generation_)
    return;
  tick_at_.reset();
  core_.expire(now());
  tidy(now());
  changed();
}

/// Removes what nobody needs: overrides of instances that went, the record that
/// a persistent instance left behind, and in the end the service itself.
void service::tidy(steady_time at) {
  if (!loaded_ || tidying_ > 0)
    return;
  const auto& key = parts_.slot->key();
  const auto fill = [&key](pb::ServiceKey& k) {
    k.set_namespace_id(key.space);
    k.set_group(key.group);
    k.set_service(key.service);
  };
  for (const auto& place : core_.stale_overrides(at)) {
    auto command = std::make_shared<pb::Command>();
    command->set_time_ms(to_unix_ms(parts_.node.time.wall()));
    auto& remove = *command->mutable_override_remove();
    fill(*remove.mutable_key());
    remove.set_ip(place.ip);
    remove.set_port(place.port);
    remove.set_cluster(place.cluster);
    propose(std::move(command), tidying_, {});
  }
  if (!core_.is_idle(at))
    return;
  if (!core_.has_record()) {
    ask_to_retire();
    return;
  }
  auto command = std::make_shared<pb::Command>();
  command->set_time_ms(to_unix_ms(parts_.node.time.wall()));
  fill(*command->mutable_service_remove()->mutable_key());
  propose(std::move(command), tidying_, {});
}

void service::ask_to_retire() {
  asked_to_retire_ = true;
  self_
    ->request(parts_.parent, rules_.request_timeout,
              retire_service{parts_.slot})
    .then([this](const api::done&) { retire(); },
          [this](const caf::error&) {
            asked_to_retire_ = false;
            run_waiting();
            schedule();
          });
}

/// The directory has forgotten this service: what waits, and what still comes,
/// goes to its successor.
void service::retire() {
  retired_ = true;
  run_waiting();
  monitored_.add(parts_.parent);
  self_->delayed_send(self_, rules_.request_timeout, retired_long_enough{});
}

template <class Answer, class M>
void service::pass_on(const M& m, owed_reply to) {
  self_
    ->request(parts_.parent, rules_.request_timeout,
              api::open_service{{}, parts_.slot->key()})
    .then(
      [this, m, to](const api::service_opened& next) {
        // Untyped: orders of distro are known in this folder only.
        self_
          ->request(caf::actor_cast<caf::actor>(next.slot->actor()),
                    rules_.request_timeout, m)
          .then([to](const Answer& a) { to->deliver(a); }, fail_with(to));
      },
      fail_with(to));
}

impl_actor::behavior_type
run_service(impl_actor::stateful_pointer<holder<service>> self,
            const service_parts& parts) {
  auto& s = self->state.it.emplace(self, parts);
  drop_unexpected(self);
  self->set_down_handler([&s](const caf::down_msg& m) { s.on_down(m); });
  using api::done;
  return {
    [&s](const api::publish_instances& m) { return s.accept<done>(m); },
    [&s](const api::retract_instances& m) { return s.accept<done>(m); },
    [&s](const api::beat_instance& m) { return s.accept<api::beat_answer>(m); },
    [&s](const api::change_service& m) { return s.accept<model::outcome>(m); },
    [&s](const distro_orders& m) { return s.accept<done>(m); },
    [&s](const api::watch_service& m) {
      return s.accept<naming::service_view_ptr>(m);
    },
    [&s](const api::unwatch_service& m) { return s.accept<done>(m); },
    [&s](const api::count_watchers&) { return s.watchers(); },
    [&s](const model::event& e) { s.on_event(e); },
    [&s](flush_view) { s.flush(); },
    [&s](const service_tick& m) { s.tick(m); },
    [&s](push_view) { s.push(); },
    [&s](push_more) { s.push_more_now(); },
    [&s](reload_stored) { s.reload(); },
    [self](retired_long_enough) { self->quit(); },
  };
}

} // namespace

api::service_actor spawn_service(caf::actor_system& system,
                                 service_parts parts) {
  return system.spawn(run_service, std::move(parts));
}

} // namespace muster::runtime
