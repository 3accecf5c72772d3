#include "actors/runtime/membership.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/model/table.hpp"

namespace muster::runtime {

namespace {

/// To oneself: look at the own state; at what partition 0 has of the cluster.
struct look_at_self {};
struct read_cluster {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::look_at_self)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::read_cluster)

namespace muster::runtime {

namespace {

using membership_impl = membership_actor::extend<caf::reacts_to<look_at_self>,
                                                 caf::reacts_to<read_cluster>>;

/// How soon others learn that this node serves, or goes.
constexpr milliseconds look_every{200};
constexpr milliseconds read_every{1'000};
constexpr milliseconds read_timeout{1'000};
constexpr milliseconds enter_timeout{15'000};

bool has_member(const pb::MembershipRecord& record, node_id id) {
  const auto& all = record.members();
  return std::ranges::find(all, id.value, &pb::MemberRecord::node) != all.end();
}

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
    if (const auto& known = parts_->options.remembered; known)
      parts_->context.cluster =
          std::make_shared<const pb::MembershipRecord>(*known);
    look();
    read_record();
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
  void read_record();

private:
  void learn(const pb::MembershipRecord& record);
  void enter();
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
  }

  membership_impl::pointer self_;
  bool entering_ = false;
  std::optional<membership_parts> parts_;
  std::optional<cluster::membership_core> core_;
};

/// Partition 0 says which data directories the members entered with.
void membership_state::read_record() {
  self_->delayed_send(self_, read_every, read_cluster{});
  const auto tables = parts_->context.tables(meta_partition);
  if (!tables)
    return;
  self_->request(tables, read_timeout, api::load_cluster{})
      .then(
          [this](const api::cluster_loaded& m) {
            if (m.record)
              learn(*m.record);
            if (!m.record || !has_member(*m.record, parts_->options.self.id))
              enter();
          },
          [](const caf::error&) {});
}

/// First durable, then believed: else a restart could forget whom it refused.
void membership_state::learn(const pb::MembershipRecord& record) {
  const auto known = parts_->context.cluster.load();
  if (known && to_bytes(*known) == to_bytes(record))
    return;
  if (const auto& remember = parts_->options.remember; remember)
    if (const auto done = remember(record); !done) {
      spdlog::error("the cluster's members cannot be remembered: {}",
                    done.error().message);
      return;
    }
  parts_->context.cluster =
      std::make_shared<const pb::MembershipRecord>(record);
}

void membership_state::enter() {
  const auto meta = parts_->context.replica(meta_partition);
  if (!meta || std::exchange(entering_, true))
    return;
  auto command = std::make_shared<pb::Command>();
  auto& body = *command->mutable_enter_cluster();
  body.set_node(parts_->options.self.id.value);
  body.set_incarnation(parts_->options.incarnation);
  body.set_cluster(parts_->options.incarnation);
  self_->request(meta, enter_timeout, api::propose{{}, std::move(command)})
      .then(
          [this](const model::outcome& o) {
            // What is refused once stays so: it is not asked for again.
            entering_ = o.code != errc::ok;
            if (entering_)
              spdlog::critical("this node is not taken into the cluster: {}",
                               o.message);
          },
          [this](const caf::error&) { entering_ = false; });
}

using pointer = membership_impl::stateful_pointer<membership_state>;

membership_impl::behavior_type membership(pointer self,
                                          const membership_parts& parts) {
  auto& s = self->state;
  s.start(parts);
  return {
      [&s](const peer_heard& m) { s.heard(m); },
      [&s](const peer_missed& m) { s.missed(m); },
      [&s](look_at_self) { s.look(); },
      [&s](read_cluster) { s.read_record(); },
  };
}

} // namespace

membership_actor spawn_membership(caf::actor_system& system,
                                  membership_parts parts) {
  // Remembering syncs a file.
  return system.spawn<caf::detached>(membership, std::move(parts));
}

} // namespace muster::runtime
