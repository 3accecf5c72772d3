#include "actors/runtime/membership.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/cluster/record.hpp"
#include "actors/core/model/table.hpp"
#include "actors/core/raft/members.hpp"

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

std::vector<cluster::member> configured_members(const cluster_options& o) {
  auto all = o.peers;
  all.push_back(o.self);
  return all;
}

class membership_state {
public:
  static inline const char* name = "membership";

  explicit membership_state(membership_impl::pointer self) : self_(self) {}

  void start(membership_parts parts) {
    parts_.emplace(std::move(parts));
    core_.emplace(parts_->options.self.id, known_members(parts_->options),
                  parts_->options.failures_max, now());
    std::vector<node_id> configured;
    for (const auto& each : configured_members(parts_->options))
      configured.push_back(each.id);
    beginning_.emplace(parts_->options.self.id, std::move(configured));
    if (const auto& known = parts_->options.remembered;
        known && !parts_->context.cluster.load())
      parts_->context.cluster =
          std::make_shared<const pb::MembershipRecord>(*known);
    if (const auto known = parts_->context.cluster.load()) {
      beginning_->learned(*known);
      core_->set_members(
          cluster::members_in(*known, configured_members(parts_->options)),
          now());
    }
    let_groups_begin();
    look();
    read_record();
  }

  void heard(const peer_heard& m) {
    core_->heard(m.from, m.facts, now());
    tell();
    if (!m.clustered) {
      beginning_->heard_of_none(m.from);
      let_groups_begin();
    }
  }
  void missed(const peer_missed& m) {
    core_->missed(m.from, now());
    tell();
    beginning_->missed(m.from);
    let_groups_begin();
  }
  void look() {
    core_->heard(parts_->options.self.id, parts_->own_facts(), now());
    tell();
    self_->delayed_send(self_, look_every, look_at_self{});
  }
  void read_record();

  void learn(const pb::MembershipRecord& record);

private:
  void stay_out(const pb::MembershipRecord& record);
  void let_groups_begin();
  bool may_enter(const pb::MembershipRecord* record) const;
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
  std::optional<cluster::beginning> beginning_;
  std::optional<membership_parts> parts_;
  std::optional<cluster::membership_core> core_;
};

/// Partition 0 says who the members are, and which data directories they
/// entered with.
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
            if (may_enter(m.record ? &*m.record : nullptr))
              enter();
          },
          [](const caf::error&) {});
}

/// The groups of this node may begin, with whom is known now.
void membership_state::let_groups_begin() {
  const auto& members = beginning_->members();
  if (!members || parts_->context.first_members.load())
    return;
  parts_->context.first_members =
      std::make_shared<const raft::configuration>(*members);
  parts_->groups_may_begin();
}

/// First durable, then believed: else a restart could forget whom it refused.
void membership_state::learn(const pb::MembershipRecord& record) {
  const auto known = parts_->context.cluster.load();
  if (known
      && (known->id() != record.id() || known->version() >= record.version()))
    return;
  const auto& options = parts_->options;
  if (!cluster::is_member(record, options.self.id, options.incarnation)) {
    stay_out(record);
    return;
  }
  if (const auto& remember = options.remember; remember)
    if (const auto done = remember(record); !done) {
      spdlog::error("the cluster's members cannot be remembered: {}",
                    done.error().message);
      return;
    }
  parts_->context.cluster =
      std::make_shared<const pb::MembershipRecord>(record);
  parts_->context.outsider = false;
  beginning_->learned(record);
  let_groups_begin();
  core_->set_members(cluster::members_in(record, configured_members(options)),
                     now());
  tell();
  if (const auto gate = parts_->gate())
    self_->send(gate, members_changed{});
}

/// A node that is to join waits for that; one that was removed serves no more.
void membership_state::stay_out(const pb::MembershipRecord& record) {
  beginning_->kept_out();
  if (parts_->context.outsider.exchange(true))
    return;
  const auto address = parts_->options.self.address();
  if (const auto* own = cluster::find(record, parts_->options.self.id);
      own != nullptr)
    spdlog::critical("cluster {} knows {} with another data directory: remove "
                     "it there and add it again (musterctl member remove {}, "
                     "musterctl member add {})",
                     record.id(), address, address, address);
  else
    spdlog::warn("{} is no member of cluster {}; to make it one: musterctl "
                 "member add {}",
                 address, record.id(), address);
}

/// Who founds the cluster may be the first; others enter if they were added.
bool membership_state::may_enter(const pb::MembershipRecord* record) const {
  const auto& options = parts_->options;
  if (record == nullptr) {
    const auto& members = beginning_->members();
    return members && raft::is_voter(*members, options.self.id);
  }
  const auto* own = cluster::find(*record, options.self.id);
  return own
         && (own->incarnation().empty()
             || (own->incarnation() == options.incarnation
                 && to_bytes(own->address())
                        != to_bytes(cluster::address_of(options.self))));
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
  *body.mutable_address() = cluster::address_of(parts_->options.self);
  for (const auto& each : configured_members(parts_->options)) {
    auto& founder = *body.add_founders();
    founder.set_node(each.id.value);
    *founder.mutable_address() = cluster::address_of(each);
  }
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
      [&s](const record_heard& m) { s.learn(*m.record); },
      [&s](look_at_self) { s.look(); },
      [&s](read_cluster) { s.read_record(); },
  };
}

} // namespace

std::vector<cluster::member> known_members(const cluster_options& options) {
  auto configured = configured_members(options);
  return options.remembered
             ? cluster::members_in(*options.remembered, configured)
             : configured;
}

membership_actor spawn_membership(caf::actor_system& system,
                                  membership_parts parts) {
  // Remembering syncs a file.
  return system.spawn<caf::detached>(membership, std::move(parts));
}

} // namespace muster::runtime
