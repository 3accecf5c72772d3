#include <map>
#include <optional>
#include <utility>

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

/// To oneself: ask again for the part wanted.
struct pull_again {
  partition_id group;
  std::uint64_t id = 0;
};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::pull_again)

namespace muster::runtime {

namespace {

using receiver_impl =
    snapshot_receiver_actor::extend<caf::reacts_to<pull_again>>;

constexpr milliseconds answer_timeout{5'000};
/// The replica waits for a write and for the worker.
constexpr auto install_timeout = std::chrono::minutes(6);

class snapshot_receiver_state {
public:
  static inline const char* name = "snapshot_receiver";

  explicit snapshot_receiver_state(receiver_impl::pointer self) : self_(self) {}

  void start(snapshot_parts parts) { parts_.emplace(std::move(parts)); }

  caf::result<std::uint64_t> consider(const consider_offer& m);
  void pull(const pull_again& m);

private:
  struct offered {
    partition_id group;
    node_id from;
    std::uint64_t id = 0;
    term_id term;
    raft::snapshot_meta meta;
  };
  /// A snapshot on its way in.
  struct transfer {
    offered what;
    raft::snapshot_sink parts;
    arrived_rows rows;
    steady_time began;
    steady_time got; ///< the newest part
    std::uint64_t bytes = 0;
  };

  result<offered> read(const std::string& bytes) const;
  bool has_room(const offered& o);
  offer_answer begin(const offered& o);
  void took(const pull_again& which, const std::string& part);
  void failed(const pull_again& which, const error& why);
  void hand_over(transfer& t);
  void end(partition_id group, const std::string& how);
  /// Null if that is not the transfer of its group any more.
  transfer* find(const pull_again& which);
  steady_time now() const { return parts_->time.steady(); }

  receiver_impl::pointer self_;
  std::optional<snapshot_parts> parts_;
  std::map<partition_id, transfer> transfers_;
};

std::uint64_t number(offer_answer a) {
  return static_cast<std::uint64_t>(a);
}

snapshot_receiver_state::transfer*
snapshot_receiver_state::find(const pull_again& which) {
  const auto found = transfers_.find(which.group);
  return found != transfers_.end() && found->second.what.id == which.id
             ? &found->second
             : nullptr;
}

// -- offers -------------------------------------------------------------------

result<snapshot_receiver_state::offered>
snapshot_receiver_state::read(const std::string& bytes) const {
  pb::SnapshotOffer in;
  if (!in.ParseFromString(bytes)
      || in.group() >= parts_->handles.replicas.size())
    return fail(errc::invalid_argument, "an offer does not parse");
  auto members = raft::decode_configuration(in.members());
  if (!members)
    return std::unexpected(members.error());
  return offered{partition_id{in.group()},
                 node_id{in.from()},
                 in.id(),
                 term_id{in.term()},
                 {{term_id{in.last().term()}, log_index{in.last().index()}},
                  std::move(*members)}};
}

caf::result<std::uint64_t>
snapshot_receiver_state::consider(const consider_offer& m) {
  const auto read_offer = read(m.offer);
  if (!read_offer)
    return api::to_caf(read_offer.error());
  const auto& o = *read_offer;
  if (find({o.group, o.id}))
    return number(offer_answer::taken);
  const auto replica = parts_->handles.replicas[o.group.value].load();
  if (!replica || !has_room(o))
    return number(offer_answer::later);
  auto owed = share(reply{self_});
  self_
      ->request(replica, answer_timeout, weigh_snapshot{o.meta, o.from, o.term})
      .then(
          [this, owed, o](bool wanted) {
            owed->deliver(number(wanted ? begin(o) : offer_answer::not_needed));
          },
          [owed](const caf::error&) {
            owed->deliver(number(offer_answer::later));
          });
  return caf::delegated<std::uint64_t>{};
}

/// One at a time of a group; one that stands still gives way.
bool snapshot_receiver_state::has_room(const offered& o) {
  const auto same = transfers_.find(o.group);
  if (same == transfers_.end())
    return transfers_.size() < parts_->settings.received_max;
  const auto& t = same->second;
  return !t.parts.complete() && now() - t.got >= parts_->settings.stalled_after;
}

offer_answer snapshot_receiver_state::begin(const offered& o) {
  // Others may have come while the replica thought.
  if (!has_room(o))
    return offer_answer::later;
  end(o.group, "gave way to another");
  transfers_.emplace(
      o.group,
      transfer{o, {}, parts_->tables.import_group(o.group), now(), now()});
  pull({o.group, o.id});
  return offer_answer::taken;
}

// -- parts --------------------------------------------------------------------

void snapshot_receiver_state::pull(const pull_again& m) {
  auto* t = find(m);
  if (!t)
    return;
  const auto gate = parts_->handles.gate.load();
  if (!gate) {
    failed(m, {errc::unavailable, "the gate is restarting"});
    return;
  }
  pb::SnapshotPull out;
  out.set_id(m.id);
  out.set_part(t->parts.next());
  self_
      ->request(gate, answer_timeout,
                pull_at{t->what.from, out.SerializeAsString()})
      .then([this, m](const std::string& part) { took(m, part); },
            [this, m](const caf::error& e) { failed(m, api::from_caf(e)); });
}

void snapshot_receiver_state::took(const pull_again& which,
                                   const std::string& part) {
  auto* t = find(which);
  if (!t)
    return;
  if (const auto sound = t->parts.take(part); !sound) {
    spdlog::warn("partition {}: {}", which.group.value, sound.error().message);
    failed(which, sound.error());
    return;
  }
  t->got = now();
  t->bytes += part.size();
  parts_->handles.figures.snapshot_bytes_received.add(part.size());
  // The next part travels while this one is written.
  if (!t->parts.complete())
    pull(which);
  if (const auto written = t->parts.fill(*t->rows); !written)
    end(which.group, "cannot be written: " + written.error().message);
  else if (t->parts.complete())
    hand_over(*t);
}

void snapshot_receiver_state::failed(const pull_again& which,
                                     const error& why) {
  const auto* t = find(which);
  if (!t)
    return;
  if (why.code == errc::not_found || why.code == errc::out_of_range
      || now() - t->got >= parts_->settings.quiet_max)
    end(which.group, "ends: " + why.message);
  else
    self_->delayed_send(self_, parts_->settings.retry_every, which);
}

void snapshot_receiver_state::hand_over(transfer& t) {
  const auto group = t.what.group;
  const auto replica = parts_->handles.replicas[group.value].load();
  if (!replica) {
    end(group, "finds no replica");
    return;
  }
  self_
      ->request(replica, install_timeout,
                take_snapshot{t.what.meta, t.what.from, t.rows})
      .then([this, group](const api::done&) { end(group, "is installed"); },
            [this, group](const caf::error& e) {
              end(group, "is not installed: " + api::from_caf(e).message);
            });
}

void snapshot_receiver_state::end(partition_id group, const std::string& how) {
  const auto found = transfers_.find(group);
  if (found == transfers_.end())
    return;
  const auto& t = found->second;
  spdlog::info(
      "partition {}: the snapshot of node {} up to {} {}: {} bytes in "
      "{} ms",
      group.value, t.what.from.value, t.what.meta.last.index.value, how,
      t.bytes,
      std::chrono::duration_cast<milliseconds>(now() - t.began).count());
  if (const auto gate = parts_->handles.gate.load()) {
    pb::SnapshotPull out;
    out.set_id(t.what.id);
    out.set_over(true);
    self_
        ->request(gate, answer_timeout,
                  pull_at{t.what.from, out.SerializeAsString()})
        .then([](const std::string&) {},
              [](const caf::error&) {}); // it finds out by the silence
  }
  transfers_.erase(found);
}

using pointer = receiver_impl::stateful_pointer<snapshot_receiver_state>;

receiver_impl::behavior_type snapshot_receiver(pointer self,
                                               const snapshot_parts& parts) {
  auto& s = self->state;
  s.start(parts);
  drop_unexpected(self);
  return {
      [&s](const consider_offer& m) { return s.consider(m); },
      [&s](const pull_again& m) { s.pull(m); },
  };
}

} // namespace

snapshot_receiver_actor spawn_snapshot_receiver(caf::actor_system& system,
                                                snapshot_parts parts) {
  return system.spawn<caf::detached>(snapshot_receiver, std::move(parts));
}

} // namespace muster::runtime
