#include "actors/runtime/replica.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <random>
#include <utility>

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/model/check.hpp"

namespace muster::runtime {

namespace {

constexpr auto load_timeout = std::chrono::seconds(30);

/// The shell's business: the core draws no numbers.
std::uint64_t draw() {
  std::random_device source;
  return (std::uint64_t{source()} << 32U) ^ source();
}

} // namespace

void replica_state::start(replica_parts parts) {
  parts_.emplace(std::move(parts));
  desk_.emplace(self_, desk_parts());
  // A replica is of no use without these: it stops, and is started anew
  // together with their successors.
  self_->set_down_handler([this](const caf::down_msg&) {
    self_->quit(caf::exit_reason::unhandled_exception);
  });
  self_->monitor(parts_->writer);
  self_->monitor(parts_->worker);
  if (has_others())
    self_->monitor(parts_->gate);
  self_->request(parts_->worker, load_timeout, settle_group{parts_->group})
      .then([this](const raft::log_position& at) { settled(at.index); },
            [this](const caf::error& e) { cannot_start(e); });
}

leader_desk_parts replica_state::desk_parts() {
  return {.group = parts_->group,
          .client = draw(),
          .time = parts_->time,
          .times = parts_->times,
          .calls_max = parts_->proposals_max,
          .leader = [this] { return any_leader(); },
          .here =
              [this] {
                return leads() ? caf::actor_cast<member_actor>(self_)
                               : member_actor{};
              },
          .gate = [this] { return parts_->gate; },
          .shows = [this](log_index index) { return shows(index); }};
}

bool replica_state::shows(log_index index) {
  return index <= applied_ || (answers_at_once_ && parts_->view.admit(index));
}

node_id replica_state::other_leader() const {
  const auto leader = any_leader();
  return leader == parts_->self ? node_id{} : leader;
}

void replica_state::cannot_start(const caf::error& e) {
  spdlog::error("partition {}: what is stored cannot be read: {}",
                parts_->group.value, api::from_caf(e).message);
  self_->quit(caf::exit_reason::unhandled_exception);
}

/// The log is looked at after the tables: it may have been compacted to them.
void replica_state::settled(log_index applied) {
  self_->request(parts_->writer, load_timeout, load_group{parts_->group})
      .then([this, applied](
                const raft::stored_group& stored) { loaded(stored, applied); },
            [this](const caf::error& e) { cannot_start(e); });
}

void replica_state::loaded(const raft::stored_group& stored,
                           log_index applied) {
  if (applied > stored.last) {
    cannot_start(api::to_caf(
        {errc::data_loss, "the tables are ahead of the log, which must have "
                          "lost its end"}));
    return;
  }
  raft::fsm::settings s;
  s.self = parts_->self;
  s.members = parts_->members;
  s.heartbeat_every = parts_->times.heartbeat_every;
  s.election_after = parts_->times.election_after;
  s.seed = draw();
  s.uncommitted_max = parts_->proposals_max;
  // What is compacted away is in the tables.
  applied_ = std::max(applied, stored.snapshot.last.index);
  core_.emplace(std::move(s), stored, applied_);
  on_tick();
}

void replica_state::on_tick() {
  if (given_up_)
    desk_->tick();
  if (!has_input())
    return;
  core_->tick(now());
  carry_out(core_->take_output());
  if (has_others()) {
    desk_->tick();
    announce();
  }
  note_figures();
}

void replica_state::note_figures() {
  auto& f = parts_->figures;
  f.held.set(1);
  f.leads.set(leads() ? 1 : 0);
  f.term.set(core_->term().value);
  f.commit.set(core_->commit().value);
  f.applied.set(applied_.value);
}

void replica_state::on_messages(const raft_in& m) {
  if (!has_input())
    return; // said again, if it matters
  for (const auto& each : m.messages)
    core_->step(each);
  carry_out(core_->take_output());
}

// -- writes -------------------------------------------------------------------

caf::result<model::outcome> replica_state::propose(const api::propose& m) {
  if (const auto fine = model::check_command(*m.command); !fine)
    return api::to_caf(fine.error());
  return leads() || !has_others() ? take(m.command, false)
                                  : desk_->pass(m.command);
}

/// Another member looked at the command already; this one looks again, since it
/// came over the wire.
caf::result<model::outcome> replica_state::propose(const propose_here& m) {
  if (const auto fine = model::check_command(*m.command); !fine)
    return api::to_caf(fine.error());
  return take(m.command, true);
}

caf::result<model::outcome>
replica_state::take(std::shared_ptr<const pb::Command> command, bool by_other) {
  if (!leads())
    return api::to_caf({errc::unavailable, "the partition has no leader yet"});
  auto payload =
      std::make_shared<const std::string>(command->SerializeAsString());
  if (collected_.size() + waiting_.size() >= parts_->proposals_max
      || bytes_in_progress_ + payload->size() > parts_->proposal_bytes_max)
    return api::to_caf(
        {errc::resource_exhausted, "too many writes in progress"});
  if (collected_.empty())
    self_->send(self_, flush_proposals{});
  bytes_in_progress_ += payload->size();
  collected_.push_back(
      {std::move(command), std::move(payload), reply{self_}, by_other});
  return caf::delegated<model::outcome>{};
}

void replica_state::flush() {
  for (auto& c : std::exchange(collected_, {})) {
    const auto bytes = c.payload->size();
    const auto position = leads() ? core_->propose(std::move(c.payload))
                                  : fail(errc::unavailable, "not the leader");
    if (!position) {
      bytes_in_progress_ -= bytes;
      // Leadership goes elsewhere: the next leader does it.
      if (position.error().code == errc::unavailable && has_others()
          && !c.passed)
        desk_->park(c.command, std::move(c.to));
      else
        c.to.fail(position.error());
      continue;
    }
    waiting_.push_back(
        {*position, std::move(c.command), bytes, std::move(c.to)});
  }
  if (has_input())
    carry_out(core_->take_output());
}

void replica_state::on_written(const log_written& m) {
  core_->written(m.write);
  carry_out(core_->take_output());
  install();
}

void replica_state::on_applied(const applied_upto& m) {
  applied_ = std::max(applied_, m.position.index);
  note_figures();
  answer_reads();
  desk_->answer_late();
  // The no-op of the own term is applied: nothing older is left to catch up.
  if (!announced_ && leads() && m.position.term == core_->term()) {
    announced_ = true;
    caf::anon_send(parts_->starter, replica_ready{parts_->group});
  }
}

// -- reads --------------------------------------------------------------------

caf::result<log_index> replica_state::read(const api::read_barrier&) {
  if (!core_)
    return api::to_caf({errc::unavailable, "the partition is starting"});
  return leads() || !has_others() ? begin_read(false) : desk_->pass_read();
}

caf::result<log_index> replica_state::read(const read_here&) {
  return begin_read(true);
}

caf::result<log_index> replica_state::begin_read(bool by_other) {
  if (!has_input())
    return api::to_caf({errc::unavailable, "the partition is starting"});
  const auto context = ++read_context_;
  if (const auto asked = core_->read_index(context); !asked)
    return api::to_caf(asked.error());
  reads_.push_back({context, log_index{~0ULL}, reply{self_}, by_other});
  carry_out(core_->take_output());
  return caf::delegated<log_index>{};
}

void replica_state::answer_reads() {
  std::erase_if(reads_, [this](waiting_read& r) {
    if (r.index > applied_)
      return false;
    r.to.deliver(r.index);
    return true;
  });
}

// -- effects ------------------------------------------------------------------

void replica_state::carry_out(raft::output out) {
  // The order is the core's: write first, then apply what got committed.
  if (out.write != 0) {
    append_log m;
    m.batch.group = parts_->group;
    m.batch.state = out.state;
    m.batch.entries = std::move(out.entries);
    m.write = out.write;
    self_->send(parts_->writer, std::move(m));
  }
  if (!out.messages.empty() && has_others())
    self_->send(parts_->gate, raft_out{parts_->group, std::move(out.messages)});
  for (const auto& f : out.fetches)
    self_
        ->request(parts_->worker, parts_->times.answer_wait,
                  read_log{parts_->group, f.from, f.bytes_max})
        .then(
            [this, f](const log_entries& found) {
              core_->fetched(f, found.rows);
              carry_out(core_->take_output());
            },
            [this, f](const caf::error&) { core_->fetch_failed(f.follower); });
  for (const auto follower : out.snapshots)
    send_to(follower);
  if (out.became)
    lead_or_follow();
  if (out.commit)
    send_apply(out);
  for (const auto& ready : out.reads)
    for (auto& r : reads_)
      if (r.context == ready.context)
        r.index = ready.index;
  if (!out.reads.empty())
    answer_reads();
}

/// Role or leader changed.
void replica_state::lead_or_follow() {
  if (!leads()) {
    for (auto& w : waiting_)
      bytes_in_progress_ -= w.bytes;
    std::ranges::move(waiting_, std::back_inserter(stale_));
    waiting_.clear();
    for (auto& r : std::exchange(reads_, {})) {
      if (r.by_other || !has_others())
        r.to.fail({errc::unavailable, "the partition's leader changed"});
      else
        desk_->park_read(std::move(r.to));
    }
  }
  if (has_others())
    desk_->leader_changed();
}

void replica_state::send_apply(raft::output& out) {
  auto work = std::make_shared<apply_work>();
  work->group = parts_->group;
  work->upto = *out.commit;
  work->entries = std::move(out.committed);
  const auto is_done = [&](const waiting_proposal& w) {
    return w.at.index <= work->upto;
  };
  while (!waiting_.empty() && is_done(waiting_.front())) {
    bytes_in_progress_ -= waiting_.front().bytes;
    work->waiting.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  if (!stale_.empty()) {
    const auto rest = std::ranges::partition(stale_, is_done);
    std::move(stale_.begin(), rest.begin(), std::back_inserter(work->waiting));
    stale_.erase(stale_.begin(), rest.begin());
    std::ranges::sort(work->waiting, {}, [](const auto& w) {
      return std::pair{w.at.index, w.at.term};
    });
  }
  self_->send(parts_->worker, apply_committed{std::move(work)});
}

/// A follower is ready once it has applied what was committed when it asked.
void replica_state::announce() {
  const auto leader = other_leader();
  if (announced_ || announcing_ || leader.value == 0)
    return;
  announcing_ = true;
  self_
      ->request(parts_->gate, parts_->times.answer_wait,
                read_at{leader, parts_->group})
      .then(
          [this](log_index index) {
            announcing_ = false;
            if (announced_ || applied_ < index)
              return;
            announced_ = true;
            caf::anon_send(parts_->starter, replica_ready{parts_->group});
          },
          [this](const caf::error&) { announcing_ = false; });
}

namespace {

using pointer = replica_impl::stateful_pointer<replica_state>;

replica_impl::behavior_type replica(pointer self, const replica_parts& parts) {
  auto& s = self->state;
  s.start(parts);
  return {
      [&s](const api::propose& m) { return s.propose(m); },
      [&s](const api::read_barrier& m) { return s.read(m); },
      [&s](raft_tick) { s.on_tick(); },
      [&s](const raft_in& m) { s.on_messages(m); },
      [&s](const propose_here& m) { return s.propose(m); },
      [&s](const read_here& m) { return s.read(m); },
      [&s](const log_written& m) { s.on_written(m); },
      [&s](const applied_upto& m) { s.on_applied(m); },
      [&s](const flush_proposals&) { s.flush(); },
      [&s](get_group) { return s.status(); },
      [&s](const change_group& m) { return s.change(m); },
      [&s](const hand_over& m) { return s.hand_over_to(m); },
      [&s](const dismiss& m) { return s.dismissal(m); },
      [&s](const give_up_group& m) { return s.give_up(m); },
      [&s](answer_at_once) { s.answer_elsewhere(); },
      [&s](const plan_cut& m) { return s.plan(m); },
      [&s](const log_cut& m) { s.on_cut(m); },
      [&s](const describe_snapshot& m) { return s.describe(m); },
      [&s](const weigh_snapshot& m) { return s.weigh(m); },
      [&s](const take_snapshot& m) { return s.accept(m); },
  };
}

} // namespace

member_actor spawn_replica(caf::actor_system& system, replica_parts parts) {
  return system.spawn(replica, std::move(parts));
}

} // namespace muster::runtime
