#include "tests/unit/partition_views/world.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include "actors/runtime/partition_proxy.hpp"
#include "actors/runtime/partition_server.hpp"
#include "muster/peer.pb.h"

namespace muster::test {

namespace {

struct act {
  std::function<void(caf::event_based_actor*)> what;
};

} // namespace

} // namespace muster::test

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::test::act)

namespace muster::test {

namespace {

constexpr partition_id group{1};
constexpr milliseconds trouble_for{25'000};
/// Then all is well: more than watchers wait for what others tell.
constexpr milliseconds calm_for{20'000};
constexpr milliseconds local_wait{5'000};

const std::vector<std::string> names{"a", "b", "c", "d"};

config_key key_of(const std::string& name) { return {"public", "g", name}; }

std::uint64_t revision(const config_snapshot_ptr& s) {
  return s ? s->revision : 0;
}

/// Promises are kept by who made them.
template <class Promise, class Answer>
void deliver(const caf::actor& by, const Promise& to, const Answer& answer) {
  caf::anon_send(
      by, act{[to = to, answer = answer](caf::event_based_actor*) mutable {
        to.deliver(std::move(answer));
      }});
}

template <class Handle>
void end(const Handle& actor) {
  if (actor)
    caf::anon_send_exit(actor, caf::exit_reason::kill);
}

} // namespace

struct view_world::node {
  node(node_id who, const clock& time)
      : id(who), context{time,
                         {},
                         configs,
                         services,
                         [this](partition_id p) { return handles.writer_to(p); },
                         [this](partition_id p) { return handles.tables_of(p); },
                         [] { return api::namespaces_actor{}; }} {}

  node_id id;
  api::config_index configs{1U << 20};
  api::service_directory services;
  storage::memory_log_store logs;
  storage::memory_state_store tables;
  runtime::node_handles handles{1, 1};
  runtime::node_context context;

  /// The replica, and who starts and ends it.
  caf::actor host;
  caf::actor gate;
  caf::actor watchers; ///< the config group
  stage now = stage::none;
  log_index sent;    ///< to the worker, to be applied
  log_index applied;
  bool answers_at_once = false;
  struct owed {
    log_index index;
    action tell;
  };
  std::vector<owed> late;
  bool cut_off = false;
  bool shown = false; ///< when last looked
  std::map<name, std::uint64_t> promised;
  std::map<name, std::uint64_t> known; ///< to watchers
};

view_world::view_world(std::uint64_t seed) : chance_(seed) {
  auto& f = faults_;
  f.nodes = chance_.between(3, 5);
  f.loss = chance_.chance(500'000) ? chance_.between(1'000, 100'000) : 0;
  f.delay_max = milliseconds{chance_.chance(700'000) ? 20 : 400};
  f.proxies_die = chance_.chance(400'000);
  f.servers_die = chance_.chance(300'000);
  f.workers_die = chance_.chance(300'000);
  f.actors_stall = chance_.chance(300'000);
  weather_ = "nodes " + std::to_string(f.nodes) + " loss "
             + std::to_string(f.loss) + " delay "
             + std::to_string(f.delay_max.count())
             + (f.proxies_die ? " proxies die" : "")
             + (f.servers_die ? " servers die" : "")
             + (f.workers_die ? " workers die" : "")
             + (f.actors_stall ? " actors stall" : "");
  system_ = std::make_unique<caf::actor_system>(config_);
  for (std::size_t i = 0; i < f.nodes; ++i)
    nodes_.push_back(std::make_unique<node>(node_id{i + 1}, time_));
  for (const auto& n : nodes_)
    start(*n);
}

view_world::~view_world() {
  for (const auto& n : nodes_) {
    auto& h = n->handles;
    end(h.proxies[1].load());
    end(h.partition_server.load());
    end(h.workers[0].load());
    end(n->host);
    end(n->gate);
    end(n->watchers);
  }
  later_.clear();
  scheduler().run();
  for (const auto& n : nodes_)
    n->late.clear();
  nodes_.clear();
}

void view_world::fault(std::string what) {
  if (fault_.empty())
    fault_ = std::to_string(time_.gone.count()) + " ms: " + std::move(what)
             + " (" + weather_ + ")";
}

// -- time and chance ----------------------------------------------------------

void view_world::at(milliseconds later, action what) {
  later_.emplace(time_.gone + later, std::move(what));
}

void view_world::inside(const caf::actor& who,
                        std::function<void(caf::event_based_actor*)> what) {
  caf::anon_send(who, act{std::move(what)});
}

void view_world::net(node& from, node& to, action what) {
  if (from.cut_off || to.cut_off || chance_.chance(faults_.loss))
    return;
  const auto most = static_cast<std::uint64_t>(faults_.delay_max.count());
  at(milliseconds{chance_.between(0, most)}, std::move(what));
}

caf::scheduler::test_coordinator& view_world::scheduler() {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());
}

void view_world::run_some_job() {
  auto& c = scheduler();
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < c.jobs.size(); ++i) {
    const auto* who = dynamic_cast<caf::abstract_actor*>(c.jobs[i]);
    const auto found = who ? stalled_.find(who->address()) : stalled_.end();
    if (found == stalled_.end() || found->second <= time_.gone)
      ready.push_back(i);
  }
  if (ready.empty())
    return;
  const auto at = static_cast<std::ptrdiff_t>(chance_.pick(ready));
  std::rotate(c.jobs.begin(), c.jobs.begin() + at, c.jobs.begin() + at + 1);
  c.run_once();
}

/// Actors run mostly as fast as they can, sometimes later than time goes on.
void view_world::step() {
  auto& c = scheduler();
  for (auto n = chance_.between(0, 60); n > 0 && !c.jobs.empty(); --n)
    run_some_job();
  const milliseconds by{chance_.between(1, 8)};
  time_.gone += by;
  c.advance_time(by);
  while (!later_.empty() && later_.begin()->first <= time_.gone) {
    const auto what = std::move(later_.begin()->second);
    later_.erase(later_.begin());
    what();
  }
  for (const auto& n : nodes_) {
    apply_some(*n);
    const bool shown = n->handles.views[1].is_here();
    if (shown && !n->shown)
      ++shows_;
    n->shown = shown;
  }
}

// -- a node -------------------------------------------------------------------

void view_world::start(node& n) {
  auto& h = n.handles;
  start_worker(n);
  n.host = make_host(n);
  n.gate = make_gate(n);
  n.watchers = make_group(n);
  h.gate.store(caf::actor_cast<runtime::gate_actor>(n.gate));
  replace_server(n);
  tell_members();
  start_proxy(n);
  come(n);
}

/// A replica dies with its worker; the next one goes on from the tables.
void view_world::start_worker(node& n) {
  auto parts = runtime::worker_parts(n.context, n.handles, n.logs, n.tables);
  parts.detached = false;
  // Only the proxy knows what watchers were told until then.
  parts.shown = [this, &n, tell = std::move(parts.shown)](partition_id group,
                                                          log_index from) {
    tell(group, from);
    if (faults_.proxies_die && chance_.chance(300'000)
        && n.handles.proxies[1].load())
      kill_proxy(n);
  };
  auto worker = runtime::spawn_state_worker(*system_, std::move(parts));
  caf::actor_cast<caf::actor>(worker)->attach_functor(
      [this, &n](const caf::error&) {
        at(milliseconds{chance_.between(1, 400)},
           [this, &n] { start_worker(n); });
      });
  n.late.clear();
  n.sent = n.applied = n.tables.applied(group)->index;
  n.handles.workers[0].store(std::move(worker));
}

void view_world::kill_worker(node& n) {
  end(n.handles.workers[0].load());
  n.handles.workers[0].store({});
}

void view_world::start_proxy(node& n) {
  const runtime::replica_times times;
  auto proxy = runtime::spawn_partition_proxy(*system_,
                                              {.group = group,
                                               .self = n.id,
                                               .context = n.context,
                                               .handles = n.handles,
                                               .times = times,
                                               .starter = n.host});
  // A successor comes once it is really gone.
  caf::actor_cast<caf::actor>(proxy)->attach_functor(
      [this, &n](const caf::error&) {
        at(milliseconds{chance_.between(1, 400)},
           [this, &n] { start_proxy(n); });
      });
  if (n.now == stage::held)
    caf::anon_send(proxy, runtime::replica_ready{group});
  n.handles.proxies[1].store(std::move(proxy));
}

void view_world::kill_proxy(node& n) {
  end(n.handles.proxies[1].load());
  n.handles.proxies[1].store({});
}

void view_world::replace_server(node& n) {
  end(n.handles.partition_server.load());
  n.handles.partition_server.store(runtime::spawn_partition_server(
      *system_, {.handles = n.handles,
                 .time = time_,
                 .feed_changes_max = chance_.between(4, 60),
                 .part_changes_max = chance_.between(1, 20)}));
}

/// A replica that has someone else lead: what it is asked for is done somewhere,
/// and answered once the tables here have it.
caf::actor view_world::make_host(node& n) {
  return system_->spawn([this, &n](caf::event_based_actor* self)
                            -> caf::behavior {
    self->set_default_handler(caf::drop);
    return {
        [this, &n, self](const api::propose& m) {
          auto to = self->make_response_promise<model::outcome>();
          at(milliseconds{chance_.between(0, 30)}, [=, this, &n] {
            const auto index = commit(*m.command);
            at(milliseconds{chance_.between(0, 30)}, [=, this, &n]() {
              model::outcome done;
              done.index = index;
              late(n, index, [=, &n] { deliver(n.host, to, done); });
            });
          });
          return to;
        },
        [this, &n, self](const api::read_barrier&) {
          auto to = self->make_response_promise<log_index>();
          const log_index index{log_.size()};
          late(n, index, [=, &n] { deliver(n.host, to, index); });
          return to;
        },
        [this](const runtime::get_group&) {
          return runtime::group_status{
              term_id{1}, node_id{chance_.between(1, nodes_.size())}, {}};
        },
        [this, &n](const runtime::applied_upto& m) {
          n.applied = std::max(n.applied, m.position.index);
          answer_late(n);
        },
        [self](const act& m) { m.what(self); },
    };
  });
}

caf::actor view_world::make_gate(node& n) {
  return system_->spawn([this, &n](caf::event_based_actor* self)
                            -> caf::behavior {
    self->set_default_handler(caf::drop);
    return {
        [this, &n, self](const runtime::read_partition_at& m) {
          auto to = self->make_response_promise<std::string>();
          auto what = std::make_shared<pb::PartitionRead>();
          if (!what->ParseFromString(m.read))
            fault("a proxy asks what does not parse");
          auto& other = *nodes_[m.to.value - 1];
          const auto back = [this, &n, &other](action tell) {
            net(other, n, std::move(tell));
          };
          net(n, other, [=, this, &n, &other] {
            inside(other.gate, [=, this, &n, &other](auto* there) {
              there
                  ->request(other.handles.partition_server.load(), local_wait,
                            runtime::read_partition{group, what})
                  .then(
                      [=, &n](const std::string& found) {
                        back([=, &n] { deliver(n.gate, to, found); });
                      },
                      [=, &n](const caf::error& e) {
                        back([=, &n] { deliver(n.gate, to, e); });
                      });
            });
          });
          return to;
        },
        [this, &n, self](const runtime::propose_at& m) {
          auto to = self->make_response_promise<model::outcome>();
          auto& other = *nodes_[m.to.value - 1];
          net(n, other, [=, this, &n, &other]() {
            model::outcome done;
            done.index = commit(*m.command);
            net(other, n, [=, &n] { deliver(n.gate, to, done); });
          });
          return to;
        },
        [this, &n, self](const runtime::read_at& m) {
          auto to = self->make_response_promise<log_index>();
          auto& other = *nodes_[m.to.value - 1];
          net(n, other, [=, this, &n, &other]() {
            const log_index index{log_.size()};
            net(other, n, [=, &n] { deliver(n.gate, to, index); });
          });
          return to;
        },
        [self](const act& m) { m.what(self); },
    };
  });
}

/// All watchers of the node; watches everything.
caf::actor view_world::make_group(node& n) {
  auto made = system_->spawn([this, &n](caf::event_based_actor* self)
                                 -> caf::behavior {
    self->attach_functor([this, &n](const caf::error&) {
      at(milliseconds{0}, [this, &n] {
        n.watchers = make_group(n);
        for (const auto& each : names)
          wake(n, each);
      });
    });
    return {[this, &n](const model::event& e) {
      const auto* change = std::get_if<model::config_changed>(&e.what);
      if (!change || !change->content_changed)
        return;
      ++wakes_;
      // Whoever is woken finds what it was woken for.
      auto& promised = n.promised[change->key.data_id];
      promised =
          std::max(promised, last_change(change->key.data_id, e.index));
      wake(n, change->key.data_id);
    }};
  });
  n.context.owners.put_group(
      "public", "g", caf::actor_cast<api::config_group_actor>(made));
  return made;
}

void view_world::tell_members() {
  auto list = std::make_shared<cluster::member_list>();
  for (const auto& n : nodes_)
    list->all.push_back({.id = n->id,
                         .state = cluster::member_state::up,
                         .shows = n->handles.shown_partitions()});
  for (const auto& n : nodes_) {
    auto own = std::make_shared<cluster::member_list>(*list);
    own->self = n->id;
    n->context.members.store(std::move(own));
  }
}

// -- the log ------------------------------------------------------------------

log_index view_world::commit(const pb::Command& command) {
  const std::pair called{command.client(), command.sequence()};
  if (command.sequence() != 0)
    if (const auto found = done_.find(called); found != done_.end())
      return found->second;
  log_.push_back(command);
  const log_index index{log_.size()};
  if (command.sequence() != 0)
    done_.emplace(called, index);
  changes_[command.config_publish().key().data_id()].push_back(index.value);
  return index;
}

/// Who takes in a snapshot tells of its changes with its own index.
std::uint64_t view_world::last_change(const name& what, log_index upto) const {
  const auto& all = changes_.at(what);
  return *std::prev(std::ranges::upper_bound(all, upto.value));
}

void view_world::late(node& n, log_index index, action tell) {
  n.late.push_back({index, std::move(tell)});
  answer_late(n);
}

void view_world::answer_late(node& n) {
  for (auto& each : std::exchange(n.late, {}))
    if (each.index <= n.applied
        || (n.answers_at_once && n.handles.views[1].admit(each.index)))
      each.tell();
    else
      n.late.push_back(std::move(each));
}

void view_world::apply_some(node& n) {
  const bool goes_on = n.now == stage::coming || n.now == stage::held;
  const std::uint64_t left = log_.size() - n.sent.value;
  const auto worker = n.handles.workers[0].load();
  if (!goes_on || !worker || left == 0
      || !chance_.chance(healed_ ? 900'000 : 300'000))
    return;
  if (left > 3 && chance_.chance(100'000)) {
    install_some(n, *chance_.pick(nodes_));
    return;
  }
  auto work = std::make_shared<runtime::apply_work>();
  work->group = group;
  for (auto more = chance_.between(1, left); more > 0; --more) {
    n.sent = n.sent.next();
    work->entries.push_back(
        {term_id{1}, n.sent, raft::entry_kind::command,
         std::make_shared<const std::string>(
             log_[n.sent.value - 1].SerializeAsString())});
  }
  work->upto = n.sent;
  inside(n.host, [worker, work](caf::event_based_actor* self) {
    self->send(worker, runtime::apply_committed{work});
  });
}

/// What is too far behind the log gets another's tables.
void view_world::install_some(node& n, node& from) {
  const auto rows = from.tables.export_group(group);
  const auto position = rows ? (*rows)->position() : raft::log_position{};
  if (position.index <= n.sent)
    return;
  const runtime::arrived_rows arrived = n.tables.import_group(group);
  const auto copied =
      (*rows)->read({}, [&](table_id table, auto key, auto value) {
        return arrived->add(table, key, value).has_value();
      });
  if (!copied)
    fault("rows cannot be copied");
  n.sent = position.index;
  const auto worker = n.handles.workers[0].load();
  inside(n.host, [=, this, &n](caf::event_based_actor* self) {
    self->request(worker, local_wait,
                  runtime::install_tables{group, {position, {}}, arrived})
        .then(
            [this, &n](const raft::log_position& at) {
              n.applied = std::max(n.applied, at.index);
              answer_late(n);
            },
            [](const caf::error&) {});
  });
}

// -- replicas come and go -----------------------------------------------------

void view_world::come(node& n) {
  n.now = stage::coming;
  n.answers_at_once = false;
  n.sent = n.applied = {};
  inside(n.host, [this, &n](caf::event_based_actor* self) {
    n.handles.replicas[1].store(
        caf::actor_cast<runtime::member_actor>(caf::actor{self}));
    at(milliseconds{chance_.between(1, 2'000)}, [this, &n] {
      n.now = stage::held;
      if (const auto proxy = n.handles.proxies[1].load())
        caf::anon_send(proxy, runtime::replica_ready{group});
    });
  });
}

void view_world::leave(node& n) {
  n.now = stage::leaving;
  hand_over(n);
}

/// As the supervisor does it.
void view_world::hand_over(node& n) {
  const auto again = [this, &n] {
    at(milliseconds{200}, [this, &n] { hand_over(n); });
  };
  const auto proxy = n.handles.proxies[1].load();
  if (!proxy) {
    again();
    return;
  }
  inside(n.host, [this, &n, proxy, again](caf::event_based_actor* self) {
    self->request(proxy, local_wait, runtime::stand_in{})
        .then(
            [this, &n](const api::done&) {
              n.answers_at_once = true;
              answer_late(n);
              at(milliseconds{1'000}, [this, &n] { drop_tables(n); });
            },
            [again](const caf::error&) { again(); });
  });
}

void view_world::drop_tables(node& n) {
  n.handles.replicas[1].store({});
  n.late.clear();
  const auto worker = n.handles.workers[0].load();
  if (!worker) {
    at(milliseconds{200}, [this, &n] { drop_tables(n); });
    return;
  }
  inside(n.host, [this, &n, worker](caf::event_based_actor* self) {
    self->request(worker, local_wait, runtime::drop_group{group})
        .then([&n](const api::done&) { n.now = stage::none; },
              [this, &n](const caf::error&) {
                at(milliseconds{200}, [this, &n] { drop_tables(n); });
              });
  });
}

// -- clients ------------------------------------------------------------------

void view_world::has_read(node& n, const name& what, std::uint64_t begun_with,
                          std::uint64_t found) {
  ++reads_;
  if (found < begun_with)
    fault("node " + std::to_string(n.id.value) + " shows " + what + " of "
          + std::to_string(found) + ", and had shown that of "
          + std::to_string(begun_with));
  auto& promised = n.promised[what];
  promised = std::max(promised, found);
}

/// As front-ends do it.
void view_world::read(node& n, const name& what, on_read done) {
  const auto begun_with = n.promised[what];
  if (const auto found = n.configs.find(key_of(what).view())) {
    has_read(n, what, begun_with, revision(*found));
    done(revision(*found));
    return;
  }
  const auto tables = n.context.tables(group);
  if (!tables) {
    done({});
    return;
  }
  inside(n.gate, [=, this, &n](caf::event_based_actor* self) {
    self->request(tables, 2 * local_wait, api::load_config{{}, key_of(what)})
        .then(
            [=, this, &n](const api::config_loaded& found) {
              has_read(n, what, begun_with, revision(found.snapshot));
              done(revision(found.snapshot));
            },
            [done](const caf::error&) { done({}); });
  });
}

void view_world::write(node& n, const name& what) {
  const auto to = n.context.replica(group);
  if (!to)
    return;
  auto command = std::make_shared<pb::Command>();
  command->set_time_ms(1);
  auto& body = *command->mutable_config_publish();
  body.mutable_key()->set_namespace_id("public");
  body.mutable_key()->set_group("g");
  body.mutable_key()->set_data_id(what);
  body.set_content(std::to_string(++values_));
  body.set_md5(body.content());
  body.set_type("text");
  inside(n.gate, [=, &n](caf::event_based_actor* self) {
    self->request(to, 2 * local_wait, api::propose{{}, command})
        .then(
            [what, &n](const model::outcome& o) {
              auto& promised = n.promised[what];
              promised = std::max(promised, o.index.value);
            },
            [](const caf::error&) {});
  });
}

/// What other readers of the node see does not help its watchers.
void view_world::wake(node& n, const name& what) {
  read(n, what, [this, &n, what](std::optional<std::uint64_t> found) {
    auto& known = n.known[what];
    if (found)
      known = std::max(known, *found);
    else
      at(milliseconds{100}, [this, &n, what] { wake(n, what); });
  });
}

// -- a run --------------------------------------------------------------------

void view_world::trouble() {
  auto& n = *chance_.pick(nodes_);
  const auto count = [this](stage s) {
    return std::ranges::count_if(
        nodes_, [s](const auto& each) { return each->now == s; });
  };
  if (chance_.chance(30'000) && n.now == stage::held && count(stage::held) > 2)
    leave(n);
  if (chance_.chance(60'000) && n.now == stage::none)
    come(n);
  if (faults_.proxies_die && chance_.chance(20'000)
      && n.handles.proxies[1].load())
    kill_proxy(n);
  if (faults_.workers_die && chance_.chance(4'000)
      && n.handles.workers[0].load())
    kill_worker(n);
  if (faults_.servers_die && chance_.chance(4'000))
    replace_server(n);
  if (faults_.actors_stall && chance_.chance(3'000)) {
    const auto until = time_.gone + milliseconds{chance_.between(100, 9'000)};
    if (const auto worker = n.handles.workers[0].load();
        worker && chance_.chance(500'000))
      stalled_[worker.address()] = until;
    else if (const auto proxy = n.handles.proxies[1].load())
      stalled_[proxy.address()] = until;
  }
  if (faults_.loss > 0 && chance_.chance(8'000)) {
    n.cut_off = true;
    at(milliseconds{chance_.between(100, 4'000)}, [&n] { n.cut_off = false; });
  }
}

void view_world::check_end() {
  for (const auto& n : nodes_)
    for (const auto& [what, indexes] : changes_)
      if (n->known[what] != indexes.back())
        fault("watchers on node " + std::to_string(n->id.value) + " know "
              + what + " of " + std::to_string(n->known[what]) + ", not of "
              + std::to_string(indexes.back()));
}

std::string view_world::run() {
  milliseconds members_at{0};
  const auto go_on = [&] {
    step();
    if (time_.gone < members_at)
      return;
    members_at = time_.gone + milliseconds{chance_.between(50, 500)};
    tell_members();
  };
  while (time_.gone < trouble_for && fault_.empty()) {
    go_on();
    trouble();
    for (auto n = chance_.between(0, 2); n > 0; --n)
      read(*chance_.pick(nodes_), chance_.pick(names), [](auto) {});
    if (chance_.chance(100'000))
      write(*chance_.pick(nodes_), chance_.pick(names));
  }
  healed_ = true;
  faults_.loss = 0;
  stalled_.clear();
  for (const auto& n : nodes_)
    n->cut_off = false;
  while (time_.gone < trouble_for + calm_for && fault_.empty())
    go_on();
  if (fault_.empty())
    check_end();
  return fault_;
}

} // namespace muster::test
