#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/api/burst.hpp"
#include "actors/core/model/apply.hpp"
#include "actors/core/model/difference.hpp"
#include "actors/core/model/queries.hpp"
#include "actors/runtime/context.hpp"
#include "actors/runtime/partition_wire.hpp"
#include "actors/runtime/spine.hpp"

namespace muster::runtime {

namespace {

/// Message to oneself: apply what was queued meanwhile.
struct apply_queued {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::apply_queued)

namespace muster::runtime {

namespace {

using actor_type = state_worker_actor::extend<caf::reacts_to<apply_queued>>;

/// Bytes read from the log at once while catching up.
constexpr std::size_t catch_up_bytes = 4U << 20;

class state_worker_state {
public:
  static inline const char* name = "state_worker";

  explicit state_worker_state(actor_type::pointer self)
    : self_(self) {}

  void start(state_worker_parts parts) {
    parts_.emplace(std::move(parts));
    // What a predecessor applied but did not publish is not in the index.
    parts_->index.clear();
  }

  void enqueue(const apply_committed& m);
  /// False if the worker has to stop.
  bool apply_all();
  result<raft::log_position> applied(partition_id group);
  caf::result<raft::log_position> settle(partition_id group);
  caf::result<raft::log_position> install(const install_tables& m);
  caf::result<log_index> show(const show_group& m);
  caf::result<log_index> hide(const hide_group& m);
  caf::result<api::done> drop(const drop_group& m);

  /// Whether readers of this node get what the tables say.
  bool shows(partition_id group) const {
    return !parts_->view || parts_->view(group)->is_here();
  }
  /// Leaves a read that came too late, or too early, to who answers now.
  template <class Answer, class M>
  caf::result<Answer> read_elsewhere(partition_id group, const M& m);
  template <class M, class F>
  auto read_shown(partition_id group, const M& m, F&& f)
      -> caf::result<decltype(f(std::declval<const state_reader&>()))> {
    using answer = decltype(f(std::declval<const state_reader&>()));
    if (!shows(group))
      return read_elsewhere<answer>(group, m);
    return read(group, std::forward<F>(f));
  }

  /// Runs a read; a store that fails ends the worker, not the process.
  template <class F>
  auto guarded(F&& f) -> caf::result<decltype(f())> {
    try {
      return f();
    } catch (const state_error& e) {
      stop(e.reason);
      return api::to_caf(e.reason);
    }
  }
  template <class F>
  auto read(partition_id group, F&& f) -> caf::result<decltype(f(
    std::declval<const state_reader&>()))> {
    return guarded([&] { return f(*parts_->tables.reader(group)); });
  }

  caf::result<api::config_loaded> load(const api::load_config& m,
                                       partition_id group);
  caf::result<std::string> answer(const read_partition& m);
  caf::result<log_entries> read_entries(const read_log& m);

private:
  struct queued_work {
    apply_work_ptr work;
    caf::actor replica;
  };
  struct owed_outcome {
    reply to;
    model::outcome outcome;
  };
  /// Applied, but not committed yet: nobody may know.
  struct pending {
    std::unique_ptr<raft::state_store::batch> batch;
    std::vector<model::event> events;
    std::vector<owed_outcome> answers;
  };

  result<void> apply(pending& to, apply_work& work);
  result<void> catch_up(pending& to, partition_id group, log_index upto);
  result<void> apply_entries(pending& to, partition_id group,
                             const std::vector<raft::entry>& entries,
                             std::vector<waiting_proposal>& waiting);
  result<void> finish(pending& all);
  void publish(const model::event& e);
  void tell_advance(partition_id group);
  void forget_configs(partition_id group);
  result<void> replace(const install_tables& m);
  config_snapshot_ptr known(const config_key& key, partition_id group);
  void stop(const error& reason);

  actor_type::pointer self_;
  std::optional<state_worker_parts> parts_;
  std::vector<queued_work> queued_;
  std::unordered_map<partition_id, raft::log_position> applied_;
};

/// Nothing was done: the entry's place was taken by another leader's.
error overtaken() {
  return {errc::unavailable,
          "the partition's leader changed before this was stored"};
}

void state_worker_state::stop(const error& reason) {
  spdlog::critical("tables cannot be used, the worker stops: {}",
                   reason.message);
  self_->quit(caf::exit_reason::unhandled_exception);
}

result<raft::log_position> state_worker_state::applied(partition_id group) {
  if (const auto it = applied_.find(group); it != applied_.end())
    return it->second;
  auto found = parts_->tables.applied(group);
  if (found)
    applied_.emplace(group, *found);
  return found;
}

void state_worker_state::enqueue(const apply_committed& m) {
  if (queued_.empty())
    self_->send(self_, apply_queued{});
  queued_.push_back(
    {m.work, caf::actor_cast<caf::actor>(self_->current_sender())});
}

/// Works of many groups have come together by now: one commit for all.
bool state_worker_state::apply_all() {
  const auto works = std::exchange(queued_, {});
  if (works.empty())
    return true; // a snapshot did not wait for its turn
  const auto run = [&]() -> result<void> {
    pending all;
    all.batch = parts_->tables.begin();
    for (const auto& w : works)
      if (auto done = apply(all, *w.work); !done)
        return done;
    return finish(all);
  };
  try {
    if (const auto done = run(); !done) {
      stop(done.error());
      return false;
    }
  } catch (const state_error& e) {
    stop(e.reason);
    return false;
  }
  for (const auto& w : works) {
    if (w.replica)
      caf::anon_send(w.replica, applied_upto{applied_[w.work->group]});
    tell_advance(w.work->group);
  }
  return true;
}

result<void> state_worker_state::apply(pending& to, apply_work& work) {
  const auto from = applied(work.group);
  if (!from)
    return std::unexpected(from.error());
  const auto first = work.entries.empty() ? work.upto.next()
                                          : work.entries.front().index;
  // What the replica no longer had in memory stands in the log. Who waits for
  // something there proposed it long ago, while this node led.
  std::erase_if(work.waiting, [first](waiting_proposal& w) {
    if (w.at.index >= first)
      return false;
    w.to.fail({errc::unknown, "the partition's leader changed meanwhile"});
    return true;
  });
  if (first > from->index.next())
    if (auto done = catch_up(to, work.group, log_index{first.value - 1}); !done)
      return done;
  return apply_entries(to, work.group, work.entries, work.waiting);
}

result<void> state_worker_state::catch_up(pending& to, partition_id group,
                                          log_index upto) {
  std::vector<waiting_proposal> nobody;
  while (applied_[group].index < upto) {
    auto entries = parts_->logs.read(group, applied_[group].index.next(),
                                     upto.next(), catch_up_bytes);
    if (!entries)
      return std::unexpected(entries.error());
    if (auto done = apply_entries(to, group, *entries, nobody); !done)
      return done;
    // A long log is not held in memory as a whole.
    if (auto done = finish(to); !done)
      return done;
  }
  return {};
}

result<void>
state_worker_state::apply_entries(pending& to, partition_id group,
                                  const std::vector<raft::entry>& entries,
                                  std::vector<waiting_proposal>& waiting) {
  if (entries.empty())
    return {};
  auto& rows = to.batch->of(group);
  auto next = waiting.begin();
  for (const auto& e : entries) {
    for (; next != waiting.end() && next->at.index <= e.index
           && next->at != raft::log_position{e.term, e.index};
         ++next)
      next->to.fail(overtaken());
    if (e.kind != raft::entry_kind::command)
      continue;
    const bool awaited = next != waiting.end() && next->at.index == e.index;
    pb::Command parsed;
    if (!awaited && !parsed.ParseFromString(*e.payload))
      return fail(errc::data_loss, "a committed command does not parse");
    auto done = model::apply(awaited ? *next->command : parsed, group, e.index,
                             rows);
    std::ranges::move(done.events, std::back_inserter(to.events));
    if (awaited) {
      to.answers.push_back({std::move(next->to), std::move(done.result)});
      ++next;
    }
  }
  const raft::log_position last{entries.back().term, entries.back().index};
  to.batch->set_applied(group, last);
  applied_[group] = last;
  return {};
}

result<void> state_worker_state::finish(pending& all) {
  if (auto done = all.batch->commit(); !done)
    return done;
  for (const auto& e : std::exchange(all.events, {}))
    publish(e);
  const api::burst together;
  for (auto& a : std::exchange(all.answers, {}))
    a.to.deliver(std::move(a.outcome));
  return {};
}

void state_worker_state::publish(const model::event& e) {
  if (!shows(e.partition))
    return;
  if (const auto* change = std::get_if<model::config_changed>(&e.what))
    parts_->index.publish(change->key, change->now);
  parts_->route(e);
}

void state_worker_state::tell_advance(partition_id group) {
  if (parts_->advanced && shows(group))
    parts_->advanced(group, applied_[group].index);
}

// -- who shows a group --------------------------------------------------------

void state_worker_state::forget_configs(partition_id group) {
  parts_->index.drop([&](const config_key& k) {
    return model::config_partition(k.space, k.group, parts_->partitions)
           == group;
  });
}

caf::result<log_index> state_worker_state::show(const show_group& m) {
  const auto at = applied(m.group);
  if (!at)
    return api::to_caf(at.error());
  const bool was_here = shows(m.group);
  if (!parts_->view(m.group)->show(at->index))
    return api::to_caf({errc::unavailable, "the tables are not that far"});
  if (!was_here)
    parts_->shown(m.group, at->index);
  return at->index;
}

caf::result<log_index> state_worker_state::hide(const hide_group& m) {
  // What was committed before is told here.
  if (!apply_all())
    return api::to_caf({errc::unavailable, "the worker stops"});
  const auto at = applied(m.group);
  if (!at)
    return api::to_caf(at.error());
  // Whoever looks there looks at nobody else first.
  forget_configs(m.group);
  parts_->view(m.group)->hide(at->index);
  return at->index;
}

caf::result<api::done> state_worker_state::drop(const drop_group& m) {
  // Partition 0 is shown before it is here.
  if (m.group != meta_partition && shows(m.group))
    return api::to_caf(
        {errc::failed_precondition, "readers get these tables"});
  applied_.erase(m.group);
  if (const auto done = parts_->tables.drop_group(m.group); !done)
    return api::to_caf(done.error());
  if (const auto done = parts_->tables.flush(); !done)
    return api::to_caf(done.error());
  return api::done{};
}

template <class Answer, class M>
caf::result<Answer> state_worker_state::read_elsewhere(partition_id group,
                                                       const M& m) {
  const auto to = parts_->elsewhere(group);
  if (!to)
    return api::to_caf({errc::unavailable, "the partition is not here now"});
  reply{self_}.pass_on(to, m);
  return caf::delegated<Answer>{};
}

// -- snapshots ----------------------------------------------------------------

caf::result<raft::log_position>
state_worker_state::settle(partition_id group) {
  const auto imported = parts_->tables.imported(group);
  if (!imported)
    return api::to_caf(imported.error());
  // Nothing is done if the log begins there, or behind it.
  if (imported->last.index != log_index{})
    if (const auto cut = parts_->logs.compact(group, *imported); !cut)
      return api::to_caf(cut.error());
  const auto at = applied(group);
  if (!at)
    return api::to_caf(at.error());
  return *at;
}

/// First the tables, then the log: a crash in between leaves a log that is older
/// than the tables, which `settle` finds out. The other way round the entries
/// would be missing.
result<void> state_worker_state::replace(const install_tables& m) {
  const auto at = applied(m.group);
  if (!at)
    return std::unexpected(at.error());
  if (at->index >= m.meta.last.index)
    return fail(errc::failed_precondition, "the tables are newer");
  // Nobody else puts anything there until this is done.
  applied_.erase(m.group);
  forget_configs(m.group);
  if (auto done = m.rows->finish(m.meta); !done)
    return done;
  return parts_->logs.compact(m.group, m.meta);
}

caf::result<raft::log_position>
state_worker_state::install(const install_tables& m) {
  // What was committed before comes first.
  if (!apply_all())
    return api::to_caf({errc::unavailable, "the worker stops"});
  try {
    const auto before = parts_->tables.reader(m.group);
    if (const auto done = replace(m); !done)
      return api::to_caf(done.error());
    applied_[m.group] = m.meta.last;
    reply{self_}.deliver(m.meta.last);
    if (!shows(m.group))
      return caf::delegated<raft::log_position>{};
    const auto after = parts_->tables.reader(m.group);
    model::visit_differences(*before, *after, m.group, m.meta.last.index,
                             parts_->route);
    tell_advance(m.group);
  } catch (const state_error& e) {
    stop(e.reason);
  }
  return caf::delegated<raft::log_position>{};
}

// -- reads --------------------------------------------------------------------

config_snapshot_ptr state_worker_state::known(const config_key& key,
                                              partition_id group) {
  if (auto found = parts_->index.find(key.view()))
    return std::move(*found);
  auto snapshot = model::load_config(*parts_->tables.reader(group), key);
  parts_->index.publish(key, snapshot);
  return snapshot;
}

caf::result<api::config_loaded>
state_worker_state::load(const api::load_config& m, partition_id group) {
  if (!shows(group))
    return read_elsewhere<api::config_loaded>(group, m);
  return guarded([&] { return api::config_loaded{known(m.key, group)}; });
}

caf::result<std::string> state_worker_state::answer(const read_partition& m) {
  if (!shows(m.group))
    return api::to_caf({errc::unavailable, "the partition is not here"});
  const auto at = applied(m.group);
  if (!at)
    return api::to_caf(at.error());
  return guarded([&] {
    pb::PartitionAnswer out;
    if (m.what->has_config())
      to_wire(known(from_wire(m.what->config()), m.group),
              *out.mutable_config());
    else
      read_rows(*parts_->tables.reader(m.group), *m.what, out);
    // Whoever is told may not be shown anything older later.
    out.set_read_at(at->index.value);
    return out.SerializeAsString();
  });
}

caf::result<log_entries> state_worker_state::read_entries(const read_log& m) {
  constexpr log_index end{~0ULL};
  auto found = parts_->logs.read(m.group, m.from, end, m.bytes_max);
  if (!found && found.error().code == errc::out_of_range)
    return log_entries{};
  if (!found)
    return api::to_caf(found.error());
  return log_entries{std::move(*found)};
}

api::service_state service_of(const state_reader& state,
                              const service_key& key, log_index index) {
  api::service_state found;
  found.index = index;
  found.record = model::service(state, key);
  found.instances = model::instances(state, key);
  for (auto& o : model::overrides(state, key))
    found.overrides.push_back(
      {std::move(o.ip), o.port, std::move(o.cluster), std::move(o.values)});
  return found;
}

using pointer = actor_type::stateful_pointer<state_worker_state>;

actor_type::behavior_type state_worker(pointer self,
                                       const state_worker_parts& p) {
  auto& s = self->state;
  s.start(p);
  const auto holder = [count = p.partitions](const config_key& k) {
    return model::config_partition(k.space, k.group, count);
  };
  return {
    [&s, holder](const api::load_config& m) { return s.load(m, holder(m.key)); },
    [&s](const api::list_config_names& m) {
      return s.read_shown(m.partition, m, [&](const state_reader& state) {
        return api::config_names{model::config_names(state, m.space)};
      });
    },
    [&s](const api::load_service& m) -> caf::result<api::service_state> {
      const auto at = s.applied(meta_partition);
      if (!at)
        return api::to_caf(at.error());
      return s.read(meta_partition, [&](const state_reader& state) {
        return service_of(state, m.key, at->index);
      });
    },
    [&s](const api::list_stored_services& m) {
      return s.read(meta_partition, [&](const state_reader& state) {
        return api::service_names{model::stored_services(state, m.space)};
      });
    },
    [&s](const api::list_namespaces&) {
      return s.read(meta_partition, [](const state_reader& state) {
        api::namespace_list list;
        for (auto& [id, record] : model::namespaces(state))
          list.rows.push_back({std::move(id), std::move(record)});
        return list;
      });
    },
    [&s](const api::count_configs& m) {
      return s.read_shown(m.partition, m, [](const state_reader& state) {
        return api::config_counts{model::config_counts(state)};
      });
    },
    [&s, holder](const api::list_history& m) {
      return s.read_shown(holder(m.key), m, [&](const state_reader& state) {
        return api::history_rows{
          model::history(state, m.key, m.before, m.limit)};
      });
    },
    [&s](const api::load_cluster&) {
      return s.read(meta_partition, [](const state_reader& state) {
        return api::cluster_loaded{model::membership(state)};
      });
    },
    [&s](const read_log& m) { return s.read_entries(m); },
    [&s](const apply_committed& m) { s.enqueue(m); },
    [&s](apply_queued) { s.apply_all(); },
    [&s](const install_tables& m) { return s.install(m); },
    [&s](const settle_group& m) { return s.settle(m.group); },
    [&s](const read_partition& m) { return s.answer(m); },
    [&s](const show_group& m) { return s.show(m); },
    [&s](const hide_group& m) { return s.hide(m); },
    [&s](const drop_group& m) { return s.drop(m); },
    [&s](const get_applied& m) -> caf::result<raft::log_position> {
      auto at = s.applied(m.group);
      if (!at)
        return api::to_caf(at.error());
      return *at;
    },
  };
}

} // namespace

state_worker_actor spawn_state_worker(caf::actor_system& system,
                                      state_worker_parts parts) {
  if (!parts.detached)
    return system.spawn(state_worker, std::move(parts));
  return system.spawn<caf::detached>(state_worker, std::move(parts));
}

} // namespace muster::runtime
