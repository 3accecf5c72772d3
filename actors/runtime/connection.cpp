#include "actors/runtime/connection.hpp"

#include <algorithm>

#include <caf/actor_system.hpp>

namespace muster::runtime {

namespace {

/// Pushes are held back this long after the set-up, or until the first call
/// (nacos-grpc 3.5).
constexpr milliseconds settle_time{100};
constexpr milliseconds tick_min{10};
/// A config is not pushed right after an answer to a listen: Go's client marks
/// the config as in step when it has read that answer, and a push that came in
/// between would be forgotten.
constexpr milliseconds listen_settles{30};

/// Keys of pushes: what kind, then the names.
template <class... Texts>
std::string push_key(char kind, const Texts&... texts) {
  std::string key(1, kind);
  ((key.append(1, '\0').append(texts)), ...);
  return key;
}

const std::string probe_key = push_key('p');
const std::string reset_key = push_key('r');

std::string push_key_of(const config_key& k) {
  return push_key('c', k.space, k.group, k.data_id);
}

std::string push_key_of(const service_key& k) {
  return push_key('s', k.space, k.group, k.service);
}

std::string kind_text(api::name_kind kind) {
  return kind == api::name_kind::config ? "config" : "service";
}

caf::error too_many_services() {
  return api::to_caf(
    {errc::resource_exhausted, "too many services used by one connection"});
}

config_key group_of(const config_key& key) { return {key.space, key.group, {}}; }

watch::push_core::limits push_limits(const naming_settings& rules) {
  watch::push_core::limits out;
  const auto probe = static_cast<std::size_t>(watch::push_kind::probe);
  const auto config = static_cast<std::size_t>(watch::push_kind::config);
  out.policies[probe].answer_timeout = rules.probe_timeout;
  out.policies[config].tries_max = rules.config_push_tries_max;
  out.keys_max = rules.pushes_per_connection_max;
  return out;
}

} // namespace

connection::connection(connection_impl::pointer self, node_context& node,
                       api::client_info info,
                       std::shared_ptr<api::push_sink> sink)
  : self_(self),
    node_(node),
    rules_(node.naming),
    id_(std::move(info.connection_id)),
    sink_(std::move(sink)),
    service_links_(self, service_hooks()),
    group_links_(self, group_hooks()),
    space_links_(self, space_hooks()),
    pushes_(push_limits(rules_), now() + settle_time),
    liveness_({rules_.idle_before_probe, rules_.probe_timeout}, now()) {
  schedule();
}

connection::~connection() {
  if (!client_ended_)
    sink_->close(end_reason_);
}

// -- services -----------------------------------------------------------------

template <class Answer, class M, class F>
void connection::ask_service(const service_key& key, owed_reply to, M message,
                             F on_answer) {
  ++services_[key].in_progress;
  schedule();
  const auto failed = [this, key, to](const error& e) {
    to->fail(e);
    --services_[key].in_progress;
    tidy_service(key);
  };
  const auto ask = [this, key, failed, message = std::move(message),
                    on_answer](const api::service_actor& actor) {
    self_->request(actor, rules_.request_timeout, message)
      .then(
        [this, key, on_answer](const Answer& a) {
          auto& use = services_[key];
          --use.in_progress;
          on_answer(use, a);
          tidy_service(key);
        },
        [failed](const caf::error& e) { failed(api::from_caf(e)); });
  };
  service_links_.with(key, ask, failed);
}

template <class M, class F>
void connection::leave_to_service(const service_key& key, M message, F sent) {
  ++services_[key].in_progress;
  schedule();
  auto owed = share(reply{self_});
  service_links_.with(
    key,
    [this, key, owed, message = std::move(message),
     sent](const api::service_actor& actor) {
      auto& use = services_[key];
      --use.in_progress;
      sent(use);
      owed->pass_on(actor, message);
      tidy_service(key);
    },
    [this, key, owed](const error& e) {
      owed->fail(e);
      --services_[key].in_progress;
      tidy_service(key);
    });
}

bool connection::has_room_for(const service_key& key) const {
  return services_.size() < rules_.per_connection_max
         || services_.contains(key);
}

caf::result<api::done> connection::publish(const api::client_publish& m) {
  alive();
  if (!has_room_for(m.key))
    return too_many_services();
  // Counts from when it is sent: if the service's actor dies before it answers,
  // its successor is told.
  leave_to_service(
    m.key, api::publish_instances{m.meta, id_, me().target, m.instances},
    [instances = m.instances](service_use& use) { use.instances = instances; });
  return caf::delegated<api::done>{};
}

/// A later publication may be on its way already, and counts instead.
void connection::refused(const api::publish_refused& m) {
  const auto found = services_.find(m.key);
  if (found == services_.end() || found->second.instances != m.refused)
    return;
  found->second.instances = m.held;
  tidy_service(m.key);
}

caf::result<api::done> connection::retract(const api::client_retract& m) {
  alive();
  // Without any use of this service there is nothing to retract.
  if (!services_.contains(m.key))
    return api::done{};
  leave_to_service(m.key, api::retract_instances{m.meta, id_},
                   [](service_use& use) { use.instances.clear(); });
  return caf::delegated<api::done>{};
}

caf::result<naming::service_view_ptr>
connection::subscribe(const api::client_subscribe& m) {
  alive();
  if (!has_room_for(m.key))
    return too_many_services();
  auto to = share(reply{self_});
  ask_service<naming::service_view_ptr>(
    m.key, to, api::watch_service{me()},
    [to, clusters = m.clusters](service_use& use,
                                const naming::service_view_ptr& view) {
      if (!use.subscribed)
        use.pushed = false;
      use.subscribed = true;
      use.clusters = clusters;
      use.view = view;
      to->deliver(view);
    });
  return caf::delegated<naming::service_view_ptr>{};
}

caf::result<api::done> connection::unsubscribe(const api::client_unsubscribe& m) {
  alive();
  const auto found = services_.find(m.key);
  if (found == services_.end())
    return api::done{};
  auto to = share(reply{self_});
  ask_service<api::done>(m.key, to, api::unwatch_service{me()},
                         [this, to, key = m.key](service_use& use,
                                                 const api::done& d) {
                           use.subscribed = false;
                           use.view = nullptr;
                           forget(push_key_of(key));
                           to->deliver(d);
                         });
  return caf::delegated<api::done>{};
}

void connection::fired(const api::service_fired& m) {
  service_seen(m.view->key, m.view);
}

/// Also what it was answered when it subscribed, but for once.
bool connection::is_news(const service_use& use,
                         const naming::service_view& view) {
  return view.version > use.view->version
         || (view.version == use.view->version && !use.pushed);
}

void connection::service_seen(const service_key& key,
                              naming::service_view_ptr view) {
  if (outlived_) {
    seen_elsewhere(*view);
    return;
  }
  const auto found = services_.find(key);
  if (found == services_.end() || !found->second.subscribed
      || (found->second.view && !is_news(found->second, *view)))
    return;
  found->second.view = std::move(view);
  push_service(key, found->second);
}

void connection::push_service(const service_key& key, service_use& use) {
  use.pushed = true;
  api::push_item item;
  item.kind = api::push_item::what::service;
  item.service = use.view;
  item.key = push_key_of(key);
  push(watch::push_kind::service, std::move(item));
}

// -- configs ------------------------------------------------------------------

template <class M, class F>
void connection::ask_group(const config_key& group, std::shared_ptr<joint> job,
                           M message, F on_done) {
  ++job->left;
  ++groups_[group].in_progress;
  schedule();
  const auto failed = [this, group, job](const error& e) {
    job->failure = e;
    job->settle();
    --groups_[group].in_progress;
    tidy_group(group);
  };
  const auto ask = [this, group, job, failed, message = std::move(message),
                    on_done](const api::config_group_actor& actor) {
    self_->request(actor, rules_.request_timeout, message)
      .then(
        [this, group, job, on_done](const api::done&) {
          auto& use = groups_[group];
          --use.in_progress;
          on_done(use);
          job->settle();
          tidy_group(group);
        },
        [failed](const caf::error& e) { failed(api::from_caf(e)); });
  };
  group_links_.with(group, ask, failed);
}

caf::result<api::done> connection::listen(const api::client_listen& m) {
  alive();
  if (listens_ + m.add.size() > rules_.listens_per_connection_max)
    return api::to_caf(
      {errc::resource_exhausted, "too many listens of one connection"});
  listened_at_ = now();
  std::map<config_key, std::pair<std::vector<std::string>,
                                 std::vector<std::string>>> by_group;
  for (const auto& key : m.add)
    by_group[group_of(key)].first.push_back(key.data_id);
  for (const auto& key : m.remove)
    if (groups_.contains(group_of(key)))
      by_group[group_of(key)].second.push_back(key.data_id);
  auto job = std::make_shared<joint>(reply{self_});
  // Held by this function, so that an answer that is there at once is not the
  // last one.
  ++job->left;
  for (auto& [group, ids] : by_group) {
    if (!ids.first.empty())
      add_listens(group, std::move(ids.first), job);
    if (!ids.second.empty())
      drop_listens(group, std::move(ids.second), job);
  }
  job->settle();
  return caf::delegated<api::done>{};
}

void connection::add_listens(const config_key& group,
                             std::vector<std::string> ids,
                             const std::shared_ptr<joint>& job) {
  ask_group(group, job, api::watch_configs{me(), ids},
            [this, ids](group_use& use) {
              for (const auto& id : ids)
                listens_ += use.data_ids.insert(id).second ? 1 : 0;
            });
}

void connection::drop_listens(const config_key& group,
                              std::vector<std::string> ids,
                              const std::shared_ptr<joint>& job) {
  ask_group(group, job, api::unwatch_configs{me(), ids},
            [this, group, ids](group_use& use) {
              for (const auto& id : ids) {
                listens_ -= use.data_ids.erase(id);
                forget(push_key_of(config_key{group.space, group.group, id}));
              }
            });
}

void connection::fired(const api::config_fired& m) {
  const auto& key = m.change.key;
  const auto found = groups_.find(group_of(key));
  if (found == groups_.end() || !found->second.needed())
    return;
  if (const auto settled = listened_at_ + listen_settles; now() < settled)
    self_->delayed_send(self_, settled - now(), push_later{key});
  else
    push_config(key);
}

void connection::push_now(const push_later& m) {
  const auto found = groups_.find(group_of(m.config));
  if (found != groups_.end()
      && found->second.data_ids.contains(m.config.data_id))
    push_config(m.config);
}

void connection::push_config(const config_key& key) {
  api::push_item item;
  item.kind = api::push_item::what::config;
  item.key = push_key_of(key);
  item.config = key;
  push(watch::push_kind::config, std::move(item));
}

// -- names --------------------------------------------------------------------

connection::name_watch* connection::find_watch(api::name_kind kind,
                                               std::string_view space,
                                               std::string_view pattern) {
  const auto found = std::ranges::find_if(name_watches_, [&](const auto& w) {
    return w.what.kind == kind && w.what.space == space
           && w.what.pattern == pattern;
  });
  return found == name_watches_.end() ? nullptr : &*found;
}

bool connection::watches_any(api::name_kind kind,
                             std::string_view space) const {
  return std::ranges::any_of(name_watches_, [&](const auto& w) {
    return w.what.kind == kind && w.what.space == space;
  });
}

caf::result<api::done> connection::watch_names(const api::client_watch_names& m) {
  alive();
  auto to = share(reply{self_});
  const auto failed = [to](const error& e) { to->fail(e); };
  const auto registered = [this, m, to](const api::done& d) {
    if (auto* known = find_watch(m.kind, m.space, m.pattern))
      known->what = m;
    else
      name_watches_.push_back({m, {}, {}});
    schedule();
    to->deliver(d);
  };
  space_links_.with(
    m.space,
    [this, m, registered, to](const caf::actor& actor) {
      self_
        ->request(actor, rules_.request_timeout,
                  api::watch_names{me(), m.kind, m.space})
        .then(registered, fail_with(to));
    },
    failed);
  return caf::delegated<api::done>{};
}

caf::result<api::done>
connection::unwatch_names(const api::client_unwatch_names& m) {
  alive();
  auto* known = find_watch(m.kind, m.space, m.pattern);
  if (!known)
    return api::done{};
  end_sync(*known);
  name_watches_.erase(name_watches_.begin()
                      + (known - name_watches_.data()));
  std::vector<std::string> queued;
  for (const auto& [key, item] : items_)
    if (item.kind == api::push_item::what::name && item.name.kind == m.kind
        && item.name.space == m.space && item.text == m.pattern)
      queued.push_back(key);
  for (const auto& key : queued)
    forget(key);
  if (watches_any(m.kind, m.space))
    return api::done{};
  auto to = share(reply{self_});
  space_links_.with(
    m.space,
    [this, m, to](const caf::actor& actor) {
      self_
        ->request(actor, rules_.request_timeout,
                  api::unwatch_names{me(), m.kind, m.space})
        .then(
          [this, to, space = m.space](const api::done& d) {
            to->deliver(d);
            space_links_.tidy(space);
          },
          fail_with(to));
    },
    [to](const error& e) { to->fail(e); });
  return caf::delegated<api::done>{};
}

void connection::fired(const api::name_fired& m) {
  for (const auto& w : name_watches_) {
    if (w.what.kind != m.kind || w.what.space != m.space
        || !w.what.accepts(m.group, m.name))
      continue;
    api::push_item item;
    item.kind = api::push_item::what::name;
    item.key = push_key('n', kind_text(m.kind), m.space, m.group, m.name);
    item.name = m;
    item.text = w.what.pattern;
    push(watch::push_kind::name, std::move(item));
    return;
  }
}

void connection::sync_names(const api::client_sync_names& m) {
  if (m.batches.empty())
    return;
  const auto& first = *m.batches.front();
  auto* w = find_watch(first.kind, first.space, first.pattern);
  if (!w)
    return;
  end_sync(*w);
  for (const auto& batch : m.batches) {
    if (batch->finish)
      w->finish = batch;
    else
      push_batch(*w, batch);
  }
  if (w->unanswered.empty() && w->finish)
    push_batch(*w, std::exchange(w->finish, nullptr));
}

void connection::push_batch(name_watch& w,
                            std::shared_ptr<const api::name_batch> batch) {
  api::push_item item;
  item.kind = api::push_item::what::names;
  item.key = push_key('b', kind_text(batch->kind), batch->space, batch->pattern,
                      batch->finish ? "end" : std::to_string(batch->number));
  item.text = batch->pattern;
  item.names = std::move(batch);
  w.unanswered.insert(item.key);
  push(watch::push_kind::name, std::move(item));
}

void connection::end_sync(name_watch& w) {
  for (const auto& key : std::exchange(w.unanswered, {}))
    forget(key);
  w.finish = nullptr;
}

void connection::sync_answered(const std::string& key) {
  for (auto& w : name_watches_) {
    if (w.unanswered.erase(key) == 0)
      continue;
    if (w.unanswered.empty() && w.finish)
      push_batch(w, std::exchange(w.finish, nullptr));
    return;
  }
}

// -- pushes -------------------------------------------------------------------

void connection::reset(const api::client_reset& m) {
  moving_until_ = now() + moved_kept;
  api::push_item item;
  item.kind = api::push_item::what::reset;
  item.key = reset_key;
  item.text = m.target;
  push(watch::push_kind::reset, std::move(item));
}

void connection::push(watch::push_kind kind, api::push_item item) {
  if (outlived_)
    return;
  const auto& [at, fresh]
    = items_.insert_or_assign(item.key, std::move(item));
  carry_out(pushes_.enqueue(at->first, kind, now()));
}

void connection::forget(const std::string& key) {
  pushes_.forget(key);
  items_.erase(key);
}

/// Data is read now, so that the last state wins.
bool connection::send(const std::string& key, std::uint64_t request_id) {
  const auto found = items_.find(key);
  if (found == items_.end())
    return false;
  auto& item = found->second;
  if (item.kind == api::push_item::what::service) {
    const auto use = services_.find(item.service->key);
    if (use == services_.end() || !use->second.subscribed)
      return false;
    item.service = use->second.view;
    item.clusters = use->second.clusters;
  }
  return sink_->push(item, request_id);
}

void connection::carry_out(watch::push_core::output out) {
  std::vector<std::uint64_t> unsent;
  for (const auto& s : out.sends)
    if (!send(s.key, s.request_id))
      unsent.push_back(s.request_id);
  for (const auto& key : out.given_up)
    items_.erase(key);
  for (const auto& key : out.done) {
    items_.erase(key);
    if (key == probe_key)
      liveness_.probe_answered(true, now());
    sync_answered(key);
  }
  if (!out.disconnect.empty()) {
    close(std::move(out.disconnect));
    return;
  }
  // A failed push is tried again later, so this ends.
  for (const auto id : unsent)
    carry_out(pushes_.answered(id, false, now()));
  schedule();
}

void connection::answered(const api::push_answered& m) {
  liveness_.active(now());
  carry_out(pushes_.answered(m.request_id, m.ok, now()));
}

void connection::alive() {
  liveness_.active(now());
  if (open_)
    return;
  open_ = true;
  carry_out(pushes_.open(now()));
}

void connection::tick(const connection_tick& m) {
  if (m.generation != tick_generation_)
    return;
  if (outlived_) {
    self_->quit();
    return;
  }
  tick_at_.reset();
  switch (liveness_.tick(now())) {
    case watch::liveness::verdict::alive:
      break;
    case watch::liveness::verdict::probe: {
      api::push_item item;
      item.key = probe_key;
      push(watch::push_kind::probe, std::move(item));
      break;
    }
    case watch::liveness::verdict::dead:
      close("the client does not answer");
      return;
  }
  carry_out(pushes_.tick(now()));
}

void connection::schedule() {
  if (outlived_)
    return;
  liveness_.bear(is_unused() ? rules_.unused_before_probe
                             : rules_.idle_before_probe);
  // In whole seconds: silent clients are probed many at a time, and a burst
  // costs a fraction of as many single wake-ups of clock, worker and socket.
  steady_time due =
    std::chrono::ceil<std::chrono::seconds>(liveness_.next_due());
  if (const auto push_due = pushes_.next_due())
    due = std::min(due, *push_due);
  // What is overdue must not put off the tick that is on its way.
  const auto at = now();
  const auto wait = std::max(due - at, tick_min);
  if (tick_at_ && *tick_at_ <= at + wait)
    return;
  tick_at_ = at + wait;
  self_->delayed_send(self_, wait, connection_tick{++tick_generation_});
}

void connection::close(std::string reason) {
  end_reason_ = std::move(reason);
  self_->quit();
}

namespace {

connection_impl::behavior_type
run_connection(connection_impl::stateful_pointer<holder<connection>> self,
               node_context* node, const api::client_info& info,
               const std::shared_ptr<api::push_sink>& sink) {
  auto& c = self->state.it.emplace(self, *node, info, sink);
  drop_unexpected(self);
  self->set_down_handler([&c](const caf::down_msg& m) { c.on_down(m); });
  return {
    [&c](const api::client_publish& m) { return c.publish(m); },
    [&c](const api::client_retract& m) { return c.retract(m); },
    [&c](const api::client_subscribe& m) { return c.subscribe(m); },
    [&c](const api::client_unsubscribe& m) { return c.unsubscribe(m); },
    [&c](const api::client_listen& m) { return c.listen(m); },
    [&c](const api::client_watch_names& m) { return c.watch_names(m); },
    [&c](const api::client_unwatch_names& m) { return c.unwatch_names(m); },
    [&c](const api::client_sync_names& m) { c.sync_names(m); },
    [&c](const api::client_reset& m) { c.reset(m); },
    [&c](const api::push_answered& m) { c.answered(m); },
    [&c](api::client_active) { c.alive(); },
    [&c](api::stream_closed) { c.client_ended(); },
    [&c](const api::config_fired& m) { c.fired(m); },
    [&c](const api::publish_refused& m) { c.refused(m); },
    [&c](const api::service_fired& m) { c.fired(m); },
    [&c](const api::name_fired& m) { c.fired(m); },
    [&c](const connection_tick& m) { c.tick(m); },
    [&c](const push_later& m) { c.push_now(m); },
    [&c](const retry_link& m) { c.retry(m); },
  };
}

} // namespace

api::connection_actor spawn_connection(caf::actor_system& system,
                                       node_context& node,
                                       api::client_info info,
                                       std::shared_ptr<api::push_sink> sink) {
  return system.spawn(run_connection, &node, std::move(info), std::move(sink));
}

} // namespace muster::runtime
