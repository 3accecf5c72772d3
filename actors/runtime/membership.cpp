#include "actors/runtime/membership.hpp"

#include <optional>
#include <utility>

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

namespace muster::runtime {

namespace {

/// To oneself: look at the own state.
struct look_at_self {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::look_at_self)

namespace muster::runtime {

namespace {

using membership_impl = membership_actor::extend<caf::reacts_to<look_at_self>>;

/// How soon others learn that this node serves, or goes.
constexpr milliseconds look_every{200};

class membership_state {
public:
  static inline const char* name = "membership";

  explicit membership_state(membership_impl::pointer self) : self_(self) {}

  void start(membership_parts parts) {
    parts_.emplace(std::move(parts));
    auto all = parts_->options.peers;
    all.push_back(parts_->options.self);
    core_.emplace(parts_->options.self.id, std::move(all),
                  parts_->options.failures_max, now());
    look();
  }

  void heard(const peer_heard& m) {
    core_->heard(m.from, m.facts, now());
    tell();
  }
  void missed(const peer_missed& m) {
    core_->missed(m.from, now());
    tell();
  }
  void look() {
    core_->heard(parts_->options.self.id, parts_->own_facts(), now());
    tell();
    self_->delayed_send(self_, look_every, look_at_self{});
  }

private:
  wall_time now() const { return parts_->context.time.wall(); }

  void tell() {
    auto list = core_->take_change();
    if (!list)
      return;
    const auto before = parts_->context.members.exchange(list);
    for (const auto& each : list->all) {
      const auto* was = before ? before->find(each.id) : nullptr;
      if (!was || was->state != each.state)
        spdlog::info("member {} is {}", each.address(), name_of(each.state));
    }
    for (const auto& each : parts_->followers())
      if (each)
        caf::anon_send(each, api::members_changed{list});
  }

  membership_impl::pointer self_;
  std::optional<membership_parts> parts_;
  std::optional<cluster::membership_core> core_;
};

using pointer = membership_impl::stateful_pointer<membership_state>;

membership_impl::behavior_type membership(pointer self,
                                          const membership_parts& parts) {
  auto& s = self->state;
  s.start(parts);
  return {
      [&s](const peer_heard& m) { s.heard(m); },
      [&s](const peer_missed& m) { s.missed(m); },
      [&s](look_at_self) { s.look(); },
  };
}

} // namespace

membership_actor spawn_membership(caf::actor_system& system,
                                  membership_parts parts) {
  return system.spawn(membership, std::move(parts));
}

} // namespace muster::runtime
