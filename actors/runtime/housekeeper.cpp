#include "actors/runtime/housekeeper.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/api/errors.hpp"

namespace muster::runtime {

namespace {

struct look {};
struct trim {
  partition_id group;
};

constexpr std::uint32_t trim_rows = 1'000;
constexpr auto ask_timeout = std::chrono::seconds(10);

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::look)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::trim)

namespace muster::runtime {

namespace {

class housekeeper_state {
public:
  static inline const char* name = "housekeeper";

  explicit housekeeper_state(caf::event_based_actor* self) : self_(self) {}

  void start(housekeeper_parts parts);
  void look_around();
  void trim_history(partition_id group);

private:
  void seen(std::size_t p, raft::log_position at);
  void compact_if_due();
  void compact(partition_id group);

  caf::event_based_actor* self_;
  std::optional<housekeeper_parts> parts_;
  /// By partition; what the tables have, and had at the last compaction.
  std::vector<raft::log_position> applied_;
  std::vector<log_index> compacted_;
  std::size_t answers_missing_ = 0;
  steady_time compacted_at_{};
};

void housekeeper_state::start(housekeeper_parts parts) {
  parts_.emplace(std::move(parts));
  applied_.resize(parts_->partitions + 1);
  compacted_.resize(parts_->partitions + 1);
  compacted_at_ = parts_->context.time.steady();
  self_->delayed_send(self_, parts_->settings.look_every, look{});
  for (std::uint64_t p = 1; p <= parts_->partitions; ++p)
    self_->delayed_send(self_, parts_->settings.trim_every,
                        trim{partition_id{p}});
}

void housekeeper_state::look_around() {
  self_->delayed_send(self_, parts_->settings.look_every, look{});
  if (answers_missing_ > 0)
    return;
  for (std::uint64_t p = 0; p <= parts_->partitions; ++p) {
    const auto worker = parts_->handles.worker_of(partition_id{p});
    if (!worker)
      continue;
    ++answers_missing_;
    self_->request(worker, ask_timeout, get_applied{partition_id{p}})
      .then([this, p](const raft::log_position& at) { seen(p, at); },
            [this, p](const caf::error&) { seen(p, applied_[p]); });
  }
}

void housekeeper_state::seen(std::size_t p, raft::log_position at) {
  applied_[p] = at;
  // A group that is given up here begins anew.
  compacted_[p] = std::min(compacted_[p], at.index);
  if (--answers_missing_ == 0)
    compact_if_due();
}

void housekeeper_state::compact_if_due() {
  std::uint64_t behind = 0;
  for (std::size_t p = 0; p < applied_.size(); ++p)
    behind += applied_[p].index.value - compacted_[p].value;
  const auto now = parts_->context.time.steady();
  const auto& s = parts_->settings;
  if (behind == 0
      || (behind < s.compact_after_entries
          && now - compacted_at_ < s.compact_after))
    return;
  compacted_at_ = now;
  // What the tables had before the flush is in files after it.
  if (const auto done = parts_->tables.flush(); !done) {
    spdlog::error("tables could not be flushed: {}", done.error().message);
    return;
  }
  for (std::uint64_t p = 0; p <= parts_->partitions; ++p)
    compact(partition_id{p});
}

/// The replica knows who may still need what, and the members at each position.
void housekeeper_state::compact(partition_id group) {
  const auto applied = applied_[group.value];
  const auto replica = parts_->handles.replicas[group.value].load();
  if (!replica || applied.index == compacted_[group.value])
    return;
  self_
      ->request(replica, ask_timeout,
                plan_cut{applied, parts_->settings.kept_entries})
      .then(
          [this, group, applied, replica](const raft::snapshot_meta& upto) {
            compacted_[group.value] = applied.index;
            if (upto.last.index == log_index{})
              return;
            if (const auto done = parts_->logs.compact(group, upto); !done)
              spdlog::error("log of partition {} could not be compacted: {}",
                            group.value, done.error().message);
            else
              self_->send(replica, log_cut{upto.last.index});
          },
          [group](const caf::error& e) {
            spdlog::debug("log of partition {} is not compacted now: {}",
                          group.value, api::from_caf(e).message);
          });
}

void housekeeper_state::trim_history(partition_id group) {
  const auto again = [this, group](milliseconds after) {
    self_->delayed_send(self_, after, trim{group});
  };
  const auto replica = parts_->handles.replicas[group.value].load();
  if (!replica)
    return again(parts_->settings.trim_every);
  const auto now = parts_->context.time.wall();
  auto command = std::make_shared<pb::Command>();
  command->set_time_ms(to_unix_ms(now));
  auto& body = *command->mutable_history_trim();
  body.set_before_ms(to_unix_ms(now - parts_->settings.history_kept));
  body.set_limit(trim_rows);
  // Of several members the one that leads does it.
  self_->request(replica, ask_timeout, propose_here{std::move(command)})
    .then(
      [this, again](const model::outcome& o) {
        // `existed`: the limit was reached, there may be more.
        again(o.existed ? parts_->settings.look_every
                        : parts_->settings.trim_every);
      },
      [this, again](const caf::error& e) {
        const auto why = api::from_caf(e);
        if (why.code != errc::unavailable)
          spdlog::warn("old history was not removed: {}", why.message);
        again(parts_->settings.trim_every);
      });
}

using pointer = caf::stateful_actor<housekeeper_state>*;

caf::behavior housekeeper(pointer self, const housekeeper_parts& parts) {
  auto& s = self->state;
  s.start(parts);
  return {
    [&s](const look&) { s.look_around(); },
    [&s](const trim& m) { s.trim_history(m.group); },
  };
}

} // namespace

caf::actor spawn_housekeeper(caf::actor_system& system,
                             housekeeper_parts parts) {
  return system.spawn<caf::detached>(housekeeper, std::move(parts));
}

void compact_all(raft::log_store& logs, raft::state_store& tables, node_id self,
                 std::uint64_t partitions) {
  if (const auto done = tables.flush(); !done) {
    spdlog::error("tables could not be flushed: {}", done.error().message);
    return;
  }
  for (std::uint64_t p = 0; p <= partitions; ++p) {
    const auto at = tables.applied(partition_id{p});
    if (!at || at->index == log_index{})
      continue;
    const raft::snapshot_meta meta{
      *at, {.voters = {self}, .outgoing = {}, .learners = {}}};
    if (const auto done = logs.compact(partition_id{p}, meta); !done)
      spdlog::error("log of partition {} could not be compacted: {}", p,
                    done.error().message);
  }
}

} // namespace muster::runtime
