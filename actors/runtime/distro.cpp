#include "actors/runtime/distro.hpp"

#include <map>
#include <unordered_map>
#include <utility>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/distro/distro_core.hpp"
#include "actors/runtime/accept.hpp"
#include "actors/runtime/supervisor.hpp"

namespace muster::runtime {

namespace {

/// Messages to oneself: carry out what the core said to all that stood in the
/// mailbox; tell changes; time passed.
struct carry_out {};
struct tell_changes {};
struct distro_tick {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::carry_out)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::tell_changes)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::distro_tick)

namespace muster::runtime {

namespace {

using distro_impl = distro_actor::extend<caf::reacts_to<carry_out>,
                                         caf::reacts_to<tell_changes>,
                                         caf::reacts_to<distro_tick>>;

/// Deadlines are looked at, and members, this often.
constexpr milliseconds tick_every{100};

distro::ring_ptr ring_of(const api::member_list& members) {
  std::vector<distro::peer> all;
  for (const auto& m : members.all) {
    using state = api::member_state;
    const bool takes = m.state == state::up || m.state == state::suspicious;
    all.push_back({m.id, m.address(), m.boot, m.state == state::down, takes});
  }
  return std::make_shared<const distro::ring>(members.self, std::move(all));
}

class distro_state {
public:
  static constexpr const char* actor_name = "distro";

  distro_state(distro_impl::pointer self, distro_parts parts);

  void changed(const publications_changed& m);
  caf::result<distro::call_answer> call(const call_elsewhere& m);
  void receive(const distro_in& m);
  void unsent(const distro_unsent& m);
  void tick();
  void tell();
  void carry_out_now();

private:
  using orders_by_service = std::map<service_key, std::vector<distro::order>>;

  steady_time now() const { return parts_.context.serving.now(); }
  void find_shown();
  void follow_members();
  void later();
  /// Runs `job(actor)` with a service's actor, which is made if need be.
  template <class Job, class Failed>
  void with_service(const service_key& key, Job job, Failed failed);
  void give(const service_key& key, std::vector<distro::order> orders);
  void serve(distro::output::incoming in);
  template <class Answer, class M>
  void ask_service(const distro::output::incoming& in, M message);
  void answered(const distro::output::incoming& in,
                const distro::call_answer& answer);
  void check_ready();

  distro_impl::pointer self_;
  distro_parts parts_;
  distro::distro_core core_;
  api::member_list_ptr members_;
  const steady_time started_;
  /// Who waits for the end of a call.
  std::unordered_map<std::uint64_t, reply> callers_;
  /// Orders that no service has acknowledged yet, in batches.
  std::size_t unshown_ = 0;
  bool carry_sent_ = false;
  bool tell_armed_ = false;
  bool ready_ = false;
};

distro_state::distro_state(distro_impl::pointer self, distro_parts parts)
    : self_(self), parts_(std::move(parts)),
      core_(parts_.share.sharing.self, parts_.share.settings,
            parts_.share.revisions, now()),
      started_(now()) {
  // In this order: what a service tells nobody, because nobody is there, is in
  // its view when that is read.
  parts_.handles.distro.store(self_);
  find_shown();
  tick();
}

/// What services show is what a predecessor knew.
void distro_state::find_shown() {
  for (const auto& space : parts_.context.services.spaces())
    for (const auto& slot : parts_.context.services.in_space(space))
      for (auto& p : naming::publications_of(*slot->view()))
        core_.found(std::move(p));
}

void distro_state::follow_members() {
  auto members = parts_.context.members.load();
  if (!members || members == members_)
    return;
  members_ = std::move(members);
  auto ring = ring_of(*members_);
  parts_.share.ring.store(ring);
  core_.set_members(std::move(ring), now());
}

// -- inputs -------------------------------------------------------------------

void distro_state::changed(const publications_changed& m) {
  for (const auto& p : m.all)
    core_.changed(p, now());
  later();
}

caf::result<distro::call_answer> distro_state::call(const call_elsewhere& m) {
  callers_.emplace(core_.call(m.to, m.call, now()), reply{self_});
  later();
  return caf::delegated<distro::call_answer>{};
}

void distro_state::receive(const distro_in& m) {
  core_.receive(m.from, m.body, now());
  later();
}

void distro_state::unsent(const distro_unsent& m) {
  core_.unsent(m.to, now());
  later();
}

void distro_state::tick() {
  parts_.share.revisions.observe(to_unix_ms(parts_.context.time.wall()));
  follow_members();
  core_.tick(now());
  parts_.handles.figures.publications.set(core_.size());
  carry_out_now();
  self_->delayed_send(self_, tick_every, distro_tick{});
}

void distro_state::tell() {
  tell_armed_ = false;
  carry_out_now();
}

// -- effects ------------------------------------------------------------------

void distro_state::later() {
  if (!std::exchange(carry_sent_, true))
    self_->send(self_, carry_out{});
}

void distro_state::carry_out_now() {
  carry_sent_ = false;
  auto out = core_.take_output(now());
  orders_by_service orders;
  for (auto& o : out.orders)
    orders[*o.publication->service].push_back(std::move(o));
  for (auto& [key, all] : orders)
    give(key, std::move(all));
  for (auto& in : out.calls)
    serve(std::move(in));
  for (auto& ended : out.answers)
    if (auto caller = callers_.extract(ended.id))
      caller.mapped().deliver(std::move(ended.answer));
  const auto gate = parts_.handles.gate.load();
  for (auto& m : out.messages) {
    if (gate)
      self_->send(gate, distro_out{m.to, std::move(m.body)});
    else
      core_.unsent(m.to, now());
  }
  if (!gate && !out.messages.empty())
    later();
  if (core_.flush_due() && !std::exchange(tell_armed_, true))
    self_->delayed_send(self_, parts_.share.settings.flush_every,
                        tell_changes{});
  check_ready();
}

template <class Job, class Failed>
void distro_state::with_service(const service_key& key, Job job,
                                Failed failed) {
  if (const auto slot = parts_.context.services.find(key.view()))
    if (const auto actor = slot->actor()) {
      job(caf::actor_cast<caf::actor>(actor));
      return;
    }
  const auto root = parts_.context.namespaces();
  if (!root) {
    failed(error{errc::unavailable, "the namespaces actor is restarting"});
    return;
  }
  self_
      ->request(root, parts_.context.naming.request_timeout,
                api::open_service{{}, key})
      .then(
          [job, failed](const api::service_opened& opened) {
            if (const auto actor = opened.slot->actor())
              job(caf::actor_cast<caf::actor>(actor));
            else
              failed(error{errc::unavailable, "the service is restarting"});
          },
          [failed](const caf::error& e) { failed(api::from_caf(e)); });
}

/// What a service does not acknowledge is given to its successor.
void distro_state::give(const service_key& key,
                        std::vector<distro::order> orders) {
  ++unshown_;
  const auto shown = [this](const api::done&) {
    --unshown_;
    check_ready();
  };
  const auto failed = [this, key](const error&) {
    --unshown_;
    core_.missed(key);
  };
  with_service(
      key,
      [this, shown, failed,
       m = distro_orders{std::move(orders)}](const caf::actor& service) {
        self_->request(service, parts_.context.naming.request_timeout, m)
            .then(shown,
                  [failed](const caf::error& e) { failed(api::from_caf(e)); });
      },
      failed);
}

void distro_state::check_ready() {
  if (ready_)
    return;
  const auto& s = parts_.share.settings;
  const bool late = now() - started_
                    >= s.load_at_most + parts_.context.naming.request_timeout;
  const bool shown = unshown_ == 0 && !core_.has_missed();
  if (!core_.loaded() || !(shown || late))
    return;
  ready_ = true;
  spdlog::info("distro knows {} publications", core_.size());
  parts_.ready();
}

// -- calls of other nodes -----------------------------------------------------

void distro_state::serve(distro::output::incoming in) {
  using what = distro::client_call::what;
  const auto& c = in.call;
  const bool registers = !c.instances.empty();
  if (!registers && !parts_.context.services.find(c.service.view())) {
    answered(in, {});
    return;
  }
  switch (c.kind) {
  case what::publish:
    ask_service<api::done>(
        in, api::publish_instances{{}, c.client_id, {}, c.instances, true});
    return;
  case what::retract:
    ask_service<api::done>(in, api::retract_instances{{}, c.client_id, true});
    return;
  case what::beat:
    ask_service<api::beat_answer>(
        in, api::beat_instance{{},
                               c.client_id,
                               registers ? c.instances.front()
                                         : naming::instance_ptr{},
                               true});
    return;
  }
}

template <class Answer, class M>
void distro_state::ask_service(const distro::output::incoming& in, M message) {
  const auto failed = [this, in](const error& e) { answered(in, {e}); };
  with_service(
      in.call.service,
      [this, in, failed, m = std::move(message)](const caf::actor& service) {
        self_->request(service, parts_.context.naming.request_timeout, m)
            .then(
                [this, in](const Answer& a) {
                  distro::call_answer out;
                  if constexpr (std::is_same_v<Answer, api::beat_answer>) {
                    out.known = a.known;
                    out.interval = a.interval;
                  }
                  answered(in, out);
                },
                [failed](const caf::error& e) { failed(api::from_caf(e)); });
      },
      failed);
}

void distro_state::answered(const distro::output::incoming& in,
                            const distro::call_answer& answer) {
  core_.answer(in, answer);
  later();
}

distro_impl::behavior_type
run_distro(distro_impl::stateful_pointer<holder<distro_state>> self,
           const distro_parts& parts) {
  auto& s = self->state.it.emplace(self, parts);
  drop_unexpected(self);
  return {
      [&s](const publications_changed& m) { s.changed(m); },
      [&s](const call_elsewhere& m) { return s.call(m); },
      [&s](const distro_in& m) { s.receive(m); },
      [&s](const distro_unsent& m) { s.unsent(m); },
      [&s](carry_out) { s.carry_out_now(); },
      [&s](tell_changes) { s.tell(); },
      [&s](distro_tick) { s.tick(); },
  };
}

} // namespace

distro_actor spawn_distro(caf::actor_system& system, distro_parts parts) {
  return system.spawn(run_distro, std::move(parts));
}

} // namespace muster::runtime
