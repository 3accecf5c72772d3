#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/model/check.hpp"
#include "actors/core/raft/fsm.hpp"
#include "actors/runtime/spine.hpp"

namespace muster::runtime {

namespace {

/// To oneself: hand the proposals collected from the mailbox to the core.
struct flush_proposals {};

constexpr auto load_timeout = std::chrono::seconds(30);

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::flush_proposals)

namespace muster::runtime {

namespace {

using actor_type
  = api::replica_actor::extend<caf::reacts_to<log_written>,
                               caf::reacts_to<applied_upto>,
                               caf::reacts_to<flush_proposals>>;

class replica_state {
public:
  static inline const char* name = "replica";

  explicit replica_state(actor_type::pointer self) : self_(self) {}

  void start(replica_parts parts);
  caf::result<model::outcome> propose(const api::propose& m);
  caf::result<log_index> read(const api::read_barrier& m);
  void flush();
  void on_written(const log_written& m);
  void on_applied(const applied_upto& m);

private:
  struct collected {
    std::shared_ptr<const pb::Command> command;
    std::shared_ptr<const std::string> payload;
    reply to;
  };
  struct waiting_read {
    std::uint64_t context;
    log_index index;
    reply to;
  };

  void loaded(const raft::stored_group& stored);
  void carry_out(raft::output out);
  void send_apply(raft::output& out);
  void answer_reads();

  actor_type::pointer self_;
  std::optional<replica_parts> parts_;
  std::optional<raft::fsm> core_;
  std::vector<collected> collected_;
  std::size_t bytes_in_progress_ = 0;
  std::deque<waiting_proposal> waiting_;
  std::vector<waiting_read> reads_;
  std::uint64_t read_context_ = 0;
  log_index applied_;
  bool announced_ = false;
};

void replica_state::start(replica_parts parts) {
  parts_.emplace(std::move(parts));
  // A replica is of no use without these two: it stops, and is started anew
  // together with their successors.
  self_->set_down_handler([this](const caf::down_msg&) {
    self_->quit(caf::exit_reason::unhandled_exception);
  });
  self_->monitor(parts_->writer);
  self_->monitor(parts_->worker);
  self_->request(parts_->writer, load_timeout, load_group{parts_->group})
    .then([this](const raft::stored_group& stored) { loaded(stored); },
          [this](const caf::error& e) {
            spdlog::error("partition {}: the log cannot be read: {}",
                          parts_->group.value, api::from_caf(e).message);
            self_->quit(caf::exit_reason::unhandled_exception);
          });
}

void replica_state::loaded(const raft::stored_group& stored) {
  raft::fsm::settings s;
  s.self = parts_->self;
  s.members.voters = {parts_->self};
  s.uncommitted_max = parts_->proposals_max;
  core_.emplace(std::move(s), stored);
  core_->tick(parts_->time.steady());
  carry_out(core_->take_output());
}

caf::result<model::outcome> replica_state::propose(const api::propose& m) {
  if (!core_ || core_->current_role() != raft::role::leader)
    return api::to_caf({errc::unavailable, "the partition has no leader yet"});
  if (const auto fine = model::check_command(*m.command); !fine)
    return api::to_caf(fine.error());
  auto payload
    = std::make_shared<const std::string>(m.command->SerializeAsString());
  if (collected_.size() + waiting_.size() >= parts_->proposals_max
      || bytes_in_progress_ + payload->size() > parts_->proposal_bytes_max)
    return api::to_caf({errc::resource_exhausted, "too many writes in progress"});
  if (collected_.empty())
    self_->send(self_, flush_proposals{});
  bytes_in_progress_ += payload->size();
  collected_.push_back({m.command, std::move(payload), reply{self_}});
  return caf::delegated<model::outcome>{};
}

void replica_state::flush() {
  for (auto& c : std::exchange(collected_, {})) {
    const auto bytes = c.payload->size();
    const auto position = core_->propose(std::move(c.payload));
    if (!position) {
      bytes_in_progress_ -= bytes;
      c.to.fail(position.error());
      continue;
    }
    waiting_.push_back(
      {position->index, std::move(c.command), bytes, std::move(c.to)});
  }
  carry_out(core_->take_output());
}

caf::result<log_index> replica_state::read(const api::read_barrier&) {
  if (!core_)
    return api::to_caf({errc::unavailable, "the partition is starting"});
  const auto context = ++read_context_;
  if (const auto asked = core_->read_index(context); !asked)
    return api::to_caf(asked.error());
  reads_.push_back({context, log_index{~0ULL}, reply{self_}});
  carry_out(core_->take_output());
  return caf::delegated<log_index>{};
}

void replica_state::on_written(const log_written& m) {
  core_->written(m.write);
  carry_out(core_->take_output());
}

void replica_state::on_applied(const applied_upto& m) {
  applied_ = m.position.index;
  answer_reads();
  // The no-op of the own term is applied: nothing older is left to catch up.
  if (!announced_ && m.position.term == core_->term()) {
    announced_ = true;
    caf::anon_send(parts_->starter, replica_ready{parts_->group});
  }
}

void replica_state::answer_reads() {
  std::erase_if(reads_, [this](waiting_read& r) {
    if (r.index > applied_)
      return false;
    r.to.deliver(r.index);
    return true;
  });
}

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
  if (out.commit)
    send_apply(out);
  for (const auto& ready : out.reads)
    for (auto& r : reads_)
      if (r.context == ready.context)
        r.index = ready.index;
  if (!out.reads.empty())
    answer_reads();
}

void replica_state::send_apply(raft::output& out) {
  auto work = std::make_shared<apply_work>();
  work->group = parts_->group;
  work->upto = *out.commit;
  work->entries = std::move(out.committed);
  while (!waiting_.empty() && waiting_.front().index <= work->upto) {
    bytes_in_progress_ -= waiting_.front().bytes;
    work->waiting.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  self_->send(parts_->worker, apply_committed{std::move(work)});
}

using pointer = actor_type::stateful_pointer<replica_state>;

actor_type::behavior_type replica(pointer self, const replica_parts& parts) {
  auto& s = self->state;
  s.start(parts);
  return {
    [&s](const api::propose& m) { return s.propose(m); },
    [&s](const api::read_barrier& m) { return s.read(m); },
    [&s](const log_written& m) { s.on_written(m); },
    [&s](const applied_upto& m) { s.on_applied(m); },
    [&s](const flush_proposals&) { s.flush(); },
  };
}

} // namespace

api::replica_actor spawn_replica(caf::actor_system& system,
                                 replica_parts parts) {
  return system.spawn(replica, std::move(parts));
}

} // namespace muster::runtime
