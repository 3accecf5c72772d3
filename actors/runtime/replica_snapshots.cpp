// A replica's part in snapshots: has them sent to members that are too far
// behind, has those of its leader installed, and says how far its log may be
// cut.
#include <algorithm>
#include <utility>

#include <caf/exit_reason.hpp>
#include <spdlog/spdlog.h>

#include "actors/runtime/replica.hpp"

namespace muster::runtime {

namespace {

/// Taking in a file is a matter of a second; the apply before it may take some.
constexpr auto install_timeout = std::chrono::minutes(5);

error not_now() {
  return {errc::unavailable, "the partition is not ready for this"};
}

} // namespace

// -- compaction ---------------------------------------------------------------

caf::result<raft::snapshot_meta> replica_state::plan(const plan_cut& m) {
  if (!has_input())
    return api::to_caf(not_now());
  auto upto = m.applied.index;
  if (has_others())
    upto = log_index{upto.value - std::min(upto.value, m.kept)};
  // Who gets tables goes on with the log behind them.
  for (const auto& [_, at] : sending_)
    upto = std::min(upto, at);
  const auto term = core_->term_at(upto);
  if (!term)
    return raft::snapshot_meta{};
  return raft::snapshot_meta{{*term, upto}, core_->members_at(upto)};
}

void replica_state::on_cut(const log_cut& m) {
  if (has_input())
    core_->compacted(m.upto);
}

// -- sending ------------------------------------------------------------------

void replica_state::send_to(node_id follower) {
  const auto sender = parts_->sender();
  if (!sender) {
    core_->snapshot_over(follower);
    return;
  }
  // One is on its way, perhaps from an earlier leadership: the core asks again
  // when that is over.
  if (!sending_.try_emplace(follower, log_index{~0ULL}).second)
    return;
  const auto over = [this, follower] {
    sending_.erase(follower);
    core_->snapshot_over(follower);
    if (has_input())
      carry_out(core_->take_output());
  };
  self_
      ->request(sender, parts_->times.snapshot_wait,
                send_snapshot{parts_->group, follower})
      .then([over](const api::done&) { over(); },
            [over](const caf::error&) { over(); });
}

caf::result<snapshot_terms>
replica_state::describe(const describe_snapshot& m) {
  // Only the core knows the members at a position, and only behind its log's
  // beginning.
  if (!leads() || core_->term_at(m.at.index) != m.at.term)
    return api::to_caf(not_now());
  sending_[m.to] = m.at.index;
  return snapshot_terms{{m.at, core_->members_at(m.at.index)}, core_->term()};
}

// -- receiving ----------------------------------------------------------------

caf::result<bool> replica_state::weigh(const weigh_snapshot& m) {
  if (!has_input() || m.term != core_->term() || m.from != core_->leader())
    return api::to_caf(not_now());
  const auto use = core_->offered(m.meta, m.from);
  carry_out(core_->take_output());
  return use != raft::fsm::snapshot_use::not_needed;
}

caf::result<api::done> replica_state::accept(const take_snapshot& m) {
  if (!has_input() || arrived_)
    return api::to_caf(not_now());
  arrived_.emplace(arrived_snapshot{m, reply{self_}});
  install();
  return caf::delegated<api::done>{};
}

/// Installs what has arrived, if the core wants it now. From its word on until
/// `installed` the core takes no input: what members say meanwhile is lost, and
/// said again.
void replica_state::install() {
  if (!arrived_ || installing_)
    return;
  auto& snapshot = arrived_->what;
  switch (core_->offered(snapshot.meta, snapshot.from)) {
  case raft::fsm::snapshot_use::later:
    return; // a write is on its way; again when that is durable
  case raft::fsm::snapshot_use::not_needed:
    carry_out(core_->take_output());
    std::exchange(arrived_, {})->to.deliver(api::done{});
    return;
  case raft::fsm::snapshot_use::install:
    break;
  }
  installing_ = true;
  self_
      ->request(parts_->worker, install_timeout,
                install_tables{parts_->group, snapshot.meta,
                               std::exchange(snapshot.rows, nullptr)})
      .then([this](const raft::log_position&) { installed(); },
            [this](const caf::error& e) {
              // Whether the tables are the old or the new ones, the next
              // replica finds out.
              spdlog::error("partition {}: a snapshot could not be installed: "
                            "{}",
                            parts_->group.value, api::from_caf(e).message);
              self_->quit(caf::exit_reason::unhandled_exception);
            });
}

void replica_state::installed() {
  auto done = *std::exchange(arrived_, {});
  installing_ = false;
  const auto& meta = done.what.meta;
  applied_ = std::max(applied_, meta.last.index);
  skip_waiting(meta.last.index);
  core_->installed(meta, done.what.from);
  carry_out(core_->take_output());
  answer_reads();
  desk_->answer_late();
  done.to.deliver(api::done{});
}

/// What was proposed here and stands in the part of the log that was skipped
/// was done there, or not: nobody knows any more.
void replica_state::skip_waiting(log_index upto) {
  const error why{errc::unknown, "the partition's leader changed meanwhile"};
  while (!waiting_.empty() && waiting_.front().at.index <= upto) {
    bytes_in_progress_ -= waiting_.front().bytes;
    waiting_.front().to.fail(why);
    waiting_.pop_front();
  }
  std::erase_if(stale_, [&](waiting_proposal& w) {
    if (w.at.index > upto)
      return false;
    w.to.fail(why);
    return true;
  });
}

} // namespace muster::runtime
