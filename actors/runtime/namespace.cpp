#include "actors/runtime/namespace.hpp"

#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/core/base/backoff.hpp"
#include "actors/runtime/accept.hpp"
#include "actors/runtime/config_group.hpp"
#include "actors/runtime/fan_out.hpp"
#include "actors/runtime/monitors.hpp"
#include "actors/runtime/service.hpp"

namespace muster::runtime {

namespace {

/// The hub's names: who watches services, who watches configs.
const std::string& hub_name(api::name_kind kind) {
  static const std::string names[] = {"config", "service"};
  return names[kind == api::name_kind::config ? 0 : 1];
}

class name_space {
public:
  static constexpr const char* actor_name = "namespace";

  name_space(namespace_actor::pointer self, node_context& node,
             std::string space);
  ~name_space();

  /// Requests wait until what is stored is up.
  template <class Answer, class M>
  caf::result<Answer> accept(const M& m) {
    reply to{self_};
    if (ready_)
      handle(m, std::move(to));
    else
      waiting_.push_back([this, m, owed = share(std::move(to))] {
        handle(m, std::move(*owed));
      });
    return caf::delegated<Answer>{};
  }

  caf::result<api::done> retire(const retire_service& m);
  caf::result<api::done> retire(const retire_group& m);
  void on_up(const service_up& m);
  void on_presence(const service_presence& m);
  void on_event(const model::event& e);
  void on_down(const caf::down_msg& m);
  void load();
  void restart(const service_key& key);
  void tell();

private:
  struct service_child {
    std::shared_ptr<api::service_slot> slot;
    api::service_actor actor;
    backoff delay;
    /// It shows what is stored.
    bool up = false;
    /// It has hosts.
    bool present = false;
    std::vector<reply> opening;
  };
  using service_map = std::map<service_key, service_child>;

  void handle(const api::open_service& m, reply to);
  void handle(const api::open_config_group& m, reply to);
  void handle(const api::list_services& m, reply to);
  void handle(const api::watch_names& m, reply to);
  void handle(const api::unwatch_names& m, reply to);
  void handle(const await_stored&, reply to) { to.deliver(api::done{}); }

  void loaded(const api::service_names& stored);
  service_child& add(std::shared_ptr<api::service_slot> slot);
  void start(service_child& child);
  void supervise(const service_child& child);
  /// The child of this slot, or null if it is no longer here.
  service_child* child_of(const std::shared_ptr<api::service_slot>& slot);
  void check_ready();
  void fire(api::name_kind kind, std::string_view group, std::string_view name,
            bool added);

  namespace_actor::pointer self_;
  node_context& node_;
  const naming_settings& rules_;
  const std::string space_;

  service_map services_;
  std::map<std::string, api::config_group_actor, std::less<>> groups_;
  std::unordered_map<caf::actor_addr, service_key> service_of_;
  std::unordered_map<caf::actor_addr, std::string> group_of_;

  watch::hub<caf::actor> hub_;
  fan_out<api::name_fired> telling_;
  monitors watched_;

  bool loaded_ = false;
  bool ready_ = false;
  backoff load_delay_;
  std::vector<std::function<void()>> waiting_;
};

name_space::name_space(namespace_actor::pointer self, node_context& node,
                       std::string space)
  : self_(self),
    node_(node),
    rules_(node.naming),
    space_(std::move(space)),
    hub_(rules_.watches_max),
    watched_(self) {
  node_.owners.put_space(space_, caf::actor_cast<caf::actor>(self_));
  for (auto& slot : node_.services.in_space(space_))
    add(std::move(slot));
  load();
}

name_space::~name_space() {
  node_.owners.drop_space(space_, caf::actor_cast<caf::actor>(self_));
  for (const auto& [group, actor] : groups_) {
    node_.owners.drop_group(space_, group, actor);
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  }
  for (const auto& [key, child] : services_)
    caf::anon_send_exit(child.actor, caf::exit_reason::user_shutdown);
}

// -- what is stored -----------------------------------------------------------

void name_space::load() {
  load_delay_.started(node_.serving.now());
  const auto again = [this](const caf::error& e) {
    const auto wait
      = std::max(load_delay_.died(node_.serving.now()), backoff::first);
    spdlog::warn("namespace {}: stored services cannot be listed ({}), again "
                 "in {} ms",
                 space_, api::from_caf(e).message, wait.count());
    self_->delayed_send(self_, wait, load_stored{});
  };
  const auto tables = node_.tables(meta_partition);
  if (!tables) {
    again(api::to_caf({errc::unavailable, "the tables' worker is restarting"}));
    return;
  }
  self_
    ->request(tables, rules_.request_timeout,
              api::list_stored_services{{}, space_})
    .then([this](const api::service_names& names) { loaded(names); }, again);
}

void name_space::loaded(const api::service_names& stored) {
  for (const auto& key : stored.keys)
    if (key.space == space_ && !services_.contains(key))
      add(node_.services.insert(key));
  loaded_ = true;
  check_ready();
}

void name_space::check_ready() {
  if (ready_ || !loaded_)
    return;
  for (const auto& [key, child] : services_)
    if (!child.up)
      return;
  ready_ = true;
  for (auto& run : std::exchange(waiting_, {}))
    run();
}

// -- services -----------------------------------------------------------------

name_space::service_child&
name_space::add(std::shared_ptr<api::service_slot> slot) {
  auto& child = services_[slot->key()];
  child.slot = std::move(slot);
  child.actor = child.slot->actor();
  if (child.actor) {
    // Left by a namespace actor that died: its successor starts when it is gone,
    // so that a slot never has two writers.
    supervise(child);
    caf::anon_send_exit(child.actor, caf::exit_reason::user_shutdown);
  } else {
    start(child);
  }
  return child;
}

void name_space::supervise(const service_child& child) {
  service_of_.emplace(child.actor.address(), child.slot->key());
  self_->monitor(child.actor);
}

void name_space::start(service_child& child) {
  child.delay.started(node_.serving.now());
  child.actor = spawn_service(self_->system(), {node_, child.slot, self_});
  child.slot->set_actor(child.actor);
  supervise(child);
}

name_space::service_child*
name_space::child_of(const std::shared_ptr<api::service_slot>& slot) {
  const auto found = services_.find(slot->key());
  return found == services_.end() || found->second.slot != slot
           ? nullptr
           : &found->second;
}

void name_space::handle(const api::open_service& m, reply to) {
  auto found = services_.find(m.key);
  if (found == services_.end()) {
    if (services_.size() >= rules_.services_per_space_max) {
      to.fail({errc::resource_exhausted, "too many services in one namespace"});
      return;
    }
    add(node_.services.insert(m.key)).opening.push_back(std::move(to));
  } else if (!found->second.up) {
    found->second.opening.push_back(std::move(to));
  } else {
    to.deliver(api::service_opened{found->second.slot});
  }
}

void name_space::on_up(const service_up& m) {
  auto* child = child_of(m.slot);
  if (!child)
    return;
  child->up = true;
  for (auto& to : std::exchange(child->opening, {}))
    to.deliver(api::service_opened{child->slot});
  check_ready();
}

void name_space::on_down(const caf::down_msg& m) {
  watched_.gone(m.source);
  if (const auto target = caf::actor_cast<caf::actor>(m.source))
    hub_.drop(target);
  if (const auto group = group_of_.find(m.source); group != group_of_.end()) {
    // Whoever watched learns of it by itself and opens the next one.
    const auto found = groups_.find(group->second);
    if (found != groups_.end() && found->second.address() == m.source) {
      node_.owners.drop_group(space_, found->first, found->second);
      groups_.erase(found);
    }
    group_of_.erase(group);
    return;
  }
  const auto known = service_of_.find(m.source);
  if (known == service_of_.end())
    return;
  const auto key = std::move(known->second);
  service_of_.erase(known);
  const auto found = services_.find(key);
  if (found == services_.end() || found->second.actor.address() != m.source)
    return;
  auto& child = found->second;
  child.up = false;
  child.actor = nullptr;
  child.slot->set_actor(api::service_actor{});
  const auto wait = child.delay.died(node_.serving.now());
  spdlog::error("service {}@@{} of namespace {} ended ({}), starting it anew "
                "in {} ms",
                key.group, key.service, space_, caf::to_string(m.reason),
                wait.count());
  if (wait == milliseconds{0})
    start(child);
  else
    self_->delayed_send(self_, wait, restart_service{key});
}

void name_space::restart(const service_key& key) {
  const auto found = services_.find(key);
  if (found != services_.end() && !found->second.actor)
    start(found->second);
}

caf::result<api::done> name_space::retire(const retire_service& m) {
  auto* child = child_of(m.slot);
  if (child && !child->opening.empty())
    return api::to_caf({errc::failed_precondition, "it is being opened"});
  if (child) {
    service_of_.erase(child->actor.address());
    node_.services.erase(m.slot->key());
    services_.erase(m.slot->key());
  }
  return api::done{};
}

void name_space::handle(const api::list_services& m, reply to) {
  api::service_page page;
  auto it = m.group.empty() ? services_.begin()
                            : services_.lower_bound({space_, m.group, {}});
  for (; it != services_.end(); ++it) {
    const auto& [key, child] = *it;
    if (!m.group.empty() && key.group != m.group)
      break;
    if (child.slot->view()->kind_fixed)
      page.services.push_back(child.slot);
  }
  to.deliver(std::move(page));
}

// -- config groups ------------------------------------------------------------

void name_space::handle(const api::open_config_group& m, reply to) {
  const auto found = groups_.find(m.group);
  if (found != groups_.end()) {
    to.deliver(found->second);
    return;
  }
  if (groups_.size() >= rules_.groups_per_space_max) {
    to.fail({errc::resource_exhausted,
             "too many watched config groups in one namespace"});
    return;
  }
  auto actor
    = spawn_config_group(self_->system(), {node_, space_, m.group, self_});
  node_.owners.put_group(space_, m.group, actor);
  groups_.emplace(m.group, actor);
  group_of_.emplace(actor.address(), m.group);
  self_->monitor(actor);
  to.deliver(std::move(actor));
}

caf::result<api::done> name_space::retire(const retire_group& m) {
  const auto found = groups_.find(m.group);
  if (found != groups_.end() && found->second == m.actor) {
    node_.owners.drop_group(space_, m.group, m.actor);
    groups_.erase(found);
  }
  return api::done{};
}

// -- names --------------------------------------------------------------------

void name_space::handle(const api::watch_names& m, reply to) {
  const std::vector<std::string> names{hub_name(m.kind)};
  if (const auto ok = hub_.watch({m.who.target, m.who.token}, names); !ok) {
    to.fail(ok.error());
    return;
  }
  watched_.add(m.who.target);
  to.deliver(api::done{});
}

void name_space::handle(const api::unwatch_names& m, reply to) {
  const std::vector<std::string> names{hub_name(m.kind)};
  hub_.unwatch({m.who.target, m.who.token}, names);
  to.deliver(api::done{});
}

void name_space::on_presence(const service_presence& m) {
  auto* child = child_of(m.slot);
  if (!child || child->present == m.present)
    return;
  child->present = m.present;
  fire(api::name_kind::service, m.slot->key().group, m.slot->key().service,
       m.present);
}

void name_space::on_event(const model::event& e) {
  const auto* change = std::get_if<model::config_changed>(&e.what);
  if (change && (change->created || change->removed))
    fire(api::name_kind::config, change->key.group, change->key.data_id,
         change->created);
}

void name_space::fire(api::name_kind kind, std::string_view group,
                      std::string_view name, bool added) {
  const bool idle = telling_.empty();
  auto id = hub_name(kind);
  id.append(1, '\0').append(group).append(1, '\0').append(name);
  telling_.add(std::move(id), hub_.fire(hub_name(kind)),
               {{}, kind, space_, std::string(group), std::string(name), added});
  if (idle)
    tell();
}

void name_space::tell() {
  telling_.step(rules_.fan_out_chunk);
  if (!telling_.empty())
    self_->send(self_, tell_names{});
}

namespace_actor::behavior_type
run_namespace(namespace_actor::stateful_pointer<holder<name_space>> self,
              node_context* node, const std::string& space) {
  auto& s = self->state.it.emplace(self, *node, space);
  drop_unexpected(self);
  self->set_down_handler([&s](const caf::down_msg& m) { s.on_down(m); });
  using api::done;
  return {
    [&s](const api::open_service& m) {
      return s.accept<api::service_opened>(m);
    },
    [&s](const api::open_config_group& m) {
      return s.accept<api::config_group_actor>(m);
    },
    [&s](const api::list_services& m) { return s.accept<api::service_page>(m); },
    [&s](const api::watch_names& m) { return s.accept<done>(m); },
    [&s](const api::unwatch_names& m) { return s.accept<done>(m); },
    [&s](const service_up& m) { s.on_up(m); },
    [&s](const service_presence& m) { s.on_presence(m); },
    [&s](const retire_service& m) { return s.retire(m); },
    [&s](const retire_group& m) { return s.retire(m); },
    [&s](const await_stored& m) { return s.accept<done>(m); },
    [&s](const model::event& e) { s.on_event(e); },
    [&s](load_stored) { s.load(); },
    [&s](const restart_service& m) { s.restart(m.key); },
    [&s](tell_names) { s.tell(); },
  };
}

} // namespace

namespace_actor spawn_namespace(caf::actor_system& system, node_context& node,
                                std::string space) {
  return system.spawn(run_namespace, &node, std::move(space));
}

} // namespace muster::runtime
