#include <utility>
#include <vector>

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/runtime/spine.hpp"

namespace muster::runtime {

namespace {

/// To oneself: write what was collected. It stands behind everything that was
/// in the mailbox when the first append came, so one sync serves all of that.
struct flush_log {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::flush_log)

namespace muster::runtime {

namespace {

using actor_type = log_writer_actor::extend<caf::reacts_to<flush_log>>;

struct log_writer_state {
  static inline const char* name = "log_writer";

  struct notice {
    caf::actor replica;
    std::uint64_t write;
  };
  std::vector<raft::append_batch> batches;
  std::vector<notice> notices;
};

using pointer = actor_type::stateful_pointer<log_writer_state>;

void flush(pointer self, raft::log_store& logs, node_figures& figures) {
  if (self->state.batches.empty())
    return;
  auto batches = std::exchange(self->state.batches, {});
  auto notices = std::exchange(self->state.notices, {});
  if (const auto done = logs.append(batches); !done) {
    spdlog::critical("log write failed, the replicas stop: {}",
                     done.error().message);
    self->quit(caf::exit_reason::unhandled_exception);
    return;
  }
  figures.log_syncs.add();
  for (const auto& batch : batches)
    figures.log_entries.add(batch.entries.size());
  for (auto& n : notices)
    caf::anon_send<caf::message_priority::high>(n.replica,
                                                log_written{n.write});
}

/// After the appends that came before. A store that refuses what does not fit to
/// its log goes on; any other error is like one of an append.
template <class F>
caf::result<api::done> change(pointer self, F&& f, raft::log_store& logs,
                              node_figures& figures) {
  flush(self, logs, figures);
  const result<void> done = f();
  if (done)
    return api::done{};
  if (done.error().code != errc::invalid_argument) {
    spdlog::critical("log write failed, the replicas stop: {}",
                     done.error().message);
    self->quit(caf::exit_reason::unhandled_exception);
  }
  return api::to_caf(done.error());
}

actor_type::behavior_type log_writer(pointer self, raft::log_store* logs,
                                     node_figures* figures) {
  return {
    [=](const append_log& m) {
      auto& s = self->state;
      if (s.batches.empty())
        self->send(self, flush_log{});
      s.batches.push_back(m.batch);
      s.notices.push_back(
        {caf::actor_cast<caf::actor>(self->current_sender()), m.write});
    },
    [=](const load_group& m) -> caf::result<raft::stored_group> {
      auto found = logs->load(m.group);
      if (!found)
        return api::to_caf(found.error());
      return std::move(*found);
    },
    [=](const give_up_log& m) {
      return change(self, [&] { return logs->give_up(m.group, m.dismissal); },
                    *logs, *figures);
    },
    [=](const begin_log_anew& m) {
      return change(self, [&] { return logs->begin_anew(m.group); }, *logs,
                    *figures);
    },
    [=](const flush_log&) { flush(self, *logs, *figures); },
  };
}

} // namespace

log_writer_actor spawn_log_writer(caf::actor_system& system,
                                  raft::log_store& logs,
                                  node_figures& figures) {
  return system.spawn<caf::detached>(log_writer, &logs, &figures);
}

} // namespace muster::runtime
