#include "actors/runtime/partition_server.hpp"

#include <map>
#include <utility>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/core/watch/change_feed.hpp"
#include "actors/runtime/accept.hpp"
#include "actors/runtime/partition_wire.hpp"

namespace muster::runtime {

namespace {

/// To oneself: look whose time is over.
struct serve_overdue {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::serve_overdue)

namespace muster::runtime {

namespace {

using server_impl =
    partition_server_actor::extend<caf::reacts_to<serve_overdue>>;

constexpr milliseconds look_every{100};
constexpr milliseconds worker_timeout{3'000};

class partition_server_state {
public:
  static constexpr const char* actor_name = "partition_server";

  partition_server_state(server_impl::pointer self,
                         partition_server_parts parts)
      : self_(self), parts_(parts) {
    self_->set_down_handler([this](const caf::down_msg& m) { on_down(m); });
    self_->delayed_send(self_, look_every, serve_overdue{});
  }

  caf::result<std::string> read(const read_partition& m);
  void changed(const model::event& e);
  void shown(const tables_shown& m);
  void advanced(const tables_advanced& m);
  void overdue();

private:
  struct waiting_read {
    std::shared_ptr<const pb::PartitionRead> what;
    steady_time until;
    owed_reply to;
  };
  struct served {
    watch::change_feed feed;
    /// Whose changes are told; null: of nobody yet.
    state_worker_actor worker;
    bool begun = false;
    std::vector<waiting_read> waiting;
  };

  bool shows(partition_id group) const {
    return group.value < parts_.handles.views.size()
           && parts_.handles.views[group.value].is_here();
  }
  void begin(partition_id group, served& s);
  /// Null: nobody wants to hear of that group.
  served* begun(partition_id group);
  void on_down(const caf::down_msg& m);
  void serve_waiting(partition_id group, served& s);
  /// False: it has to wait.
  bool serve(partition_id group, const served& s, const waiting_read& r,
             bool at_once);
  void give_part(partition_id group, const served& s, const waiting_read& r,
                 const std::optional<watch::change_feed::part>& found);

  server_impl::pointer self_;
  partition_server_parts parts_;
  std::map<partition_id, served> served_;
};

// -- what is here -------------------------------------------------------------

/// From the first read on the worker tells what it applies.
void partition_server_state::begin(partition_id group, served& s) {
  s.worker = parts_.handles.worker_of(group);
  if (!s.worker)
    return;
  parts_.handles.followed[group.value] = true;
  self_->monitor(s.worker);
  self_->request(s.worker, worker_timeout, get_applied{group})
      .then(
          [this, group, &s,
           asked = s.worker.address()](const raft::log_position& at) {
            if (!s.worker || s.worker.address() != asked)
              return;
            s.begun = true;
            s.feed.begin(at.index);
            serve_waiting(group, s);
          },
          [&s](const caf::error&) { s.worker = nullptr; });
}

/// What its successor applies may lack what this one did not tell.
void partition_server_state::on_down(const caf::down_msg& m) {
  for (auto& [_, s] : served_)
    if (s.worker && s.worker.address() == m.source) {
      s.worker = nullptr;
      s.begun = false;
    }
}

auto partition_server_state::begun(partition_id group) -> served* {
  const auto found = served_.find(group);
  return found != served_.end() && found->second.begun ? &found->second
                                                       : nullptr;
}

void partition_server_state::changed(const model::event& e) {
  const auto* change = std::get_if<model::config_changed>(&e.what);
  if (auto* s = begun(e.partition); s && change)
    s->feed.add(e.index, *change);
}

/// While the tables were not shown nothing was told.
void partition_server_state::shown(const tables_shown& m) {
  if (auto* s = begun(m.group)) {
    s->feed.begin(m.from);
    serve_waiting(m.group, *s);
  }
}

void partition_server_state::advanced(const tables_advanced& m) {
  if (auto* s = begun(m.group)) {
    s->feed.reach(m.upto);
    serve_waiting(m.group, *s);
  }
}

// -- reads --------------------------------------------------------------------

caf::result<std::string>
partition_server_state::read(const read_partition& m) {
  if (!shows(m.group))
    return api::to_caf({errc::unavailable, "the partition is not here"});
  auto& s =
      served_
          .try_emplace(m.group,
                       served{watch::change_feed{parts_.feed_changes_max},
                              {},
                              false,
                              {}})
          .first->second;
  waiting_read r{m.what,
                 parts_.time.steady()
                     + (m.what->has_feed() ? parts_.feed_wait
                                           : parts_.read_wait),
                 share(reply{self_})};
  if (!s.worker)
    begin(m.group, s);
  if (!serve(m.group, s, r, false))
    s.waiting.push_back(std::move(r));
  return caf::delegated<std::string>{};
}

void partition_server_state::serve_waiting(partition_id group, served& s) {
  std::erase_if(s.waiting, [&](const waiting_read& r) {
    return serve(group, s, r, false);
  });
}

bool partition_server_state::serve(partition_id group, const served& s,
                                   const waiting_read& r, bool at_once) {
  if (!s.begun || s.feed.reached().value < r.what->at_least())
    return false;
  if (!r.what->has_feed()) {
    self_->request(s.worker, worker_timeout, read_partition{group, r.what})
        .then([to = r.to](const std::string& found) { to->deliver(found); },
              fail_with(r.to));
    return true;
  }
  const auto& feed = r.what->feed();
  const auto after =
      feed.has_after() ? log_index{feed.after()} : s.feed.reached();
  const auto found = s.feed.since(after, parts_.part_changes_max);
  const bool is_news = !feed.has_after() || !found || !found->changes.empty();
  if (!is_news && !at_once)
    return false;
  give_part(group, s, r, found);
  return true;
}

void partition_server_state::overdue() {
  self_->delayed_send(self_, look_every, serve_overdue{});
  const auto now = parts_.time.steady();
  for (auto& [group, s] : served_)
    std::erase_if(s.waiting, [&](const waiting_read& r) {
      if (now < r.until && shows(group))
        return false;
      if (!shows(group) || !r.what->has_feed()
          || !serve(group, s, r, true))
        r.to->fail({errc::unavailable, "the tables are not that far here"});
      return true;
    });
}

void partition_server_state::give_part(
    partition_id group, const served& s, const waiting_read& r,
    const std::optional<watch::change_feed::part>& found) {
  pb::PartitionAnswer answer;
  auto& out = *answer.mutable_feed();
  out.set_gap(!found);
  out.set_upto(found ? found->upto.value : s.feed.reached().value);
  if (found)
    for (const auto& each : found->changes)
      to_wire(each, *out.add_changes());
  const auto replica = parts_.handles.replicas[group.value].load();
  const auto give = [to = r.to](pb::PartitionAnswer a, node_id leader) {
    a.mutable_feed()->set_leader(leader.value);
    to->deliver(a.SerializeAsString());
  };
  if (!replica) {
    give(std::move(answer), {});
    return;
  }
  self_->request(replica, worker_timeout, get_group{})
      .then([give, answer](const group_status& g) { give(answer, g.leader); },
            [give, answer](const caf::error&) { give(answer, {}); });
}

server_impl::behavior_type
partition_server(server_impl::stateful_pointer<holder<partition_server_state>>
                     self,
                 const partition_server_parts& parts) {
  auto& s = self->state.it.emplace(self, parts);
  drop_unexpected(self);
  return {
      [&s](const read_partition& m) { return s.read(m); },
      [&s](const model::event& e) { s.changed(e); },
      [&s](const tables_shown& m) { s.shown(m); },
      [&s](const tables_advanced& m) { s.advanced(m); },
      [&s](serve_overdue) { s.overdue(); },
  };
}

} // namespace

partition_server_actor spawn_partition_server(caf::actor_system& system,
                                              partition_server_parts parts) {
  return system.spawn(partition_server, parts);
}

} // namespace muster::runtime
