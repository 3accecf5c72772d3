#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/raft/members.hpp"
#include "actors/core/raft/snapshot_stream.hpp"
#include "actors/runtime/accept.hpp"
#include "actors/runtime/supervisor.hpp"
#include "muster/peer.pb.h"

namespace muster::runtime {

namespace {

/// To oneself: offer again what nobody pulls, close what is too old.
struct look_after {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::look_after)

namespace muster::runtime {

namespace {

using sender_impl = snapshot_sender_actor::extend<caf::reacts_to<look_after>>;

constexpr milliseconds answer_timeout{5'000};
constexpr milliseconds look_every{200};

/// Nobody else's number, not that of a predecessor either.
std::uint64_t draw_id() {
  std::random_device source;
  return (std::uint64_t{source()} << 32U) ^ source();
}

class snapshot_sender_state {
public:
  static inline const char* name = "snapshot_sender";

  explicit snapshot_sender_state(sender_impl::pointer self) : self_(self) {}

  void start(snapshot_parts parts) { parts_.emplace(std::move(parts)); }

  caf::result<api::done> send(const send_snapshot& m);
  caf::result<std::string> give(const give_part& m);
  void look();

private:
  /// Tables held open for a node.
  struct session {
    partition_id group;
    node_id to;
    raft::snapshot_source tables;
    reply owed;
    steady_time began;
    steady_time heard; ///< of the receiver
    steady_time offered;
    std::uint64_t bytes = 0;
  };

  void describe(std::uint64_t id, session& s);
  void offer(std::uint64_t id, const snapshot_terms& terms);
  void end(std::uint64_t id, const char* how);
  steady_time now() const { return parts_->time.steady(); }

  sender_impl::pointer self_;
  std::optional<snapshot_parts> parts_;
  std::map<std::uint64_t, session> sessions_;
  bool looking_ = false;
};

caf::result<api::done> snapshot_sender_state::send(const send_snapshot& m) {
  // Only a replica that was started anew asks twice.
  for (const auto& [id, s] : sessions_)
    if (s.group == m.group && s.to == m.to) {
      end(id, "was asked for anew");
      break;
    }
  if (sessions_.size() >= parts_->settings.sent_max)
    return api::to_caf(
        {errc::resource_exhausted, "too many snapshots are on their way"});
  auto tables = parts_->tables.export_group(m.group);
  if (!tables)
    return api::to_caf(tables.error());
  const auto id = draw_id();
  auto& made =
      sessions_
          .emplace(id,
                   session{m.group,
                           m.to,
                           {std::move(*tables), parts_->settings.part_bytes},
                           reply{self_},
                           now(),
                           now(),
                           now()})
          .first->second;
  describe(id, made);
  if (!std::exchange(looking_, true))
    self_->delayed_send(self_, look_every, look_after{});
  return caf::delegated<api::done>{};
}

/// Before each offer: the term may be another one, or the replica leads no
/// more.
void snapshot_sender_state::describe(std::uint64_t id, session& s) {
  s.offered = now();
  const auto replica = parts_->handles.replicas[s.group.value].load();
  if (!replica)
    return; // asked again
  self_
      ->request(replica, answer_timeout,
                describe_snapshot{s.to, s.tables.position()})
      .then([this, id](const snapshot_terms& t) { offer(id, t); },
            [this, id](const caf::error&) { end(id, "is of no use"); });
}

void snapshot_sender_state::offer(std::uint64_t id,
                                  const snapshot_terms& terms) {
  const auto found = sessions_.find(id);
  const auto gate = parts_->handles.gate.load();
  if (found == sessions_.end() || !gate)
    return;
  const auto& s = found->second;
  const auto& meta = terms.meta;
  pb::SnapshotOffer out;
  out.set_group(s.group.value);
  out.set_from(parts_->self.value);
  out.set_term(terms.term.value);
  out.set_id(id);
  out.mutable_last()->set_term(meta.last.term.value);
  out.mutable_last()->set_index(meta.last.index.value);
  out.set_members(*raft::encode(meta.members));
  self_->request(gate, answer_timeout, offer_at{s.to, out.SerializeAsString()})
      .then(
          [this, id](std::uint64_t answer) {
            if (answer == static_cast<std::uint64_t>(offer_answer::not_needed))
              end(id, "was not needed");
          },
          [](const caf::error&) {}); // offered again
}

caf::result<std::string> snapshot_sender_state::give(const give_part& m) {
  pb::SnapshotPull asked;
  if (!asked.ParseFromString(m.pull))
    return api::to_caf({errc::invalid_argument, "a pull does not parse"});
  const auto found = sessions_.find(asked.id());
  if (found == sessions_.end())
    return api::to_caf({errc::not_found, "this snapshot is not open"});
  auto& s = found->second;
  if (asked.over()) {
    end(asked.id(), "is over");
    return std::string{};
  }
  s.heard = now();
  auto part = s.tables.part(asked.part());
  if (!part)
    return api::to_caf(part.error());
  s.bytes += part->size();
  parts_->handles.figures.snapshot_bytes_sent.add(part->size());
  return std::move(*part);
}

void snapshot_sender_state::look() {
  looking_ = false;
  const auto& limits = parts_->settings;
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    auto& [id, s] = *at++;
    if (now() - s.heard >= limits.quiet_max)
      end(id, "was not pulled");
    else if (now() - s.began >= limits.age_max)
      end(id, "took too long");
    else if (now() - std::max(s.heard, s.offered) >= limits.offer_every)
      describe(id, s);
  }
  if (sessions_.empty())
    return;
  looking_ = true;
  self_->delayed_send(self_, look_every, look_after{});
}

void snapshot_sender_state::end(std::uint64_t id, const char* how) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end())
    return;
  auto& s = found->second;
  spdlog::info(
      "partition {}: the snapshot for node {} {}: {} bytes in {} ms",
      s.group.value, s.to.value, how, s.bytes,
      std::chrono::duration_cast<milliseconds>(now() - s.began).count());
  s.owed.deliver(api::done{});
  sessions_.erase(found);
}

using pointer = sender_impl::stateful_pointer<snapshot_sender_state>;

sender_impl::behavior_type snapshot_sender(pointer self,
                                           const snapshot_parts& parts) {
  auto& s = self->state;
  s.start(parts);
  drop_unexpected(self);
  return {
      [&s](const send_snapshot& m) { return s.send(m); },
      [&s](const give_part& m) { return s.give(m); },
      [&s](look_after) { s.look(); },
  };
}

} // namespace

snapshot_sender_actor spawn_snapshot_sender(caf::actor_system& system,
                                            snapshot_parts parts) {
  return system.spawn<caf::detached>(snapshot_sender, std::move(parts));
}

} // namespace muster::runtime
