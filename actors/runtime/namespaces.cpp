#include <map>
#include <set>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/core/base/backoff.hpp"
#include "actors/runtime/accept.hpp"
#include "actors/runtime/context.hpp"
#include "actors/runtime/namespace.hpp"

namespace muster::runtime {

namespace {

/// Messages to oneself.
struct find_stored {};
struct restart_space {
  std::string space;
};
/// Keeps `serving_clock` going.
struct ask_clock {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::find_stored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::restart_space)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::ask_clock)

namespace muster::runtime {

namespace {

using root_actor
  = api::namespaces_actor::extend<caf::reacts_to<find_stored>,
                                  caf::reacts_to<restart_space>,
                                  caf::reacts_to<ask_clock>>;

/// How often the serving clock is asked at least; less than its `stall_min`.
constexpr milliseconds clock_period{1'000};

class namespaces {
public:
  static constexpr const char* actor_name = "namespaces";

  namespaces(root_actor::pointer self, node_context& node)
    : self_(self), node_(node), rules_(node.naming) {
    ask();
    find();
  }

  ~namespaces() {
    for (const auto& [space, c] : spaces_)
      caf::anon_send_exit(c.actor, caf::exit_reason::user_shutdown);
  }

  /// Hands a request on to its namespace, which is made if need be.
  template <class Answer, class M>
  caf::result<Answer> pass(const std::string& space, const M& m) {
    if (!ready_)
      return starting();
    const auto found = spaces_.find(space);
    if (found == spaces_.end()) {
      if (spaces_.size() >= rules_.spaces_max)
        return api::to_caf(
          {errc::resource_exhausted, "too many namespaces in use"});
      return self_->delegate(add(space), m);
    }
    if (!found->second.actor)
      return api::to_caf({errc::unavailable, "the namespace is restarting"});
    return self_->delegate(found->second.actor, m);
  }

  /// A namespace that is not here has no services: no need to make it.
  caf::result<api::service_page> list(const api::list_services& m) {
    if (ready_ && !spaces_.contains(m.space))
      return api::service_page{};
    return pass<api::service_page>(m.space, m);
  }

  void ask() {
    node_.serving.now();
    self_->delayed_send(self_, clock_period, ask_clock{});
  }

  void find();
  void restart(const std::string& space);
  void on_down(const caf::down_msg& m);

private:
  struct child {
    namespace_actor actor;
    backoff delay;
  };

  static caf::error starting() {
    return api::to_caf({errc::unavailable, "the node is starting"});
  }

  const namespace_actor& add(const std::string& space);
  void start(const std::string& space, child& c);
  void list_stored();
  void open(const api::service_names& stored);
  void opened();
  void find_again(const caf::error& e);

  root_actor::pointer self_;
  node_context& node_;
  const naming_settings& rules_;
  std::map<std::string, child> spaces_;
  backoff find_delay_;
  /// Namespaces that are still bringing up what is stored.
  std::size_t opening_ = 0;
  bool ready_ = false;
};

/// The tables are complete only after the log was applied to them: the read
/// barrier of partition 0 says when.
void namespaces::find() {
  find_delay_.started(node_.serving.now());
  const auto replica = node_.replica(meta_partition);
  if (!replica) {
    find_again(starting());
    return;
  }
  self_->request(replica, rules_.request_timeout, api::read_barrier{})
    .then([this](log_index) { list_stored(); },
          [this](const caf::error& e) { find_again(e); });
}

void namespaces::list_stored() {
  const auto tables = node_.tables(meta_partition);
  if (!tables) {
    find_again(starting());
    return;
  }
  self_
    ->request(tables, rules_.request_timeout,
              api::list_stored_services{{}, {}})
    .then([this](const api::service_names& stored) { open(stored); },
          [this](const caf::error& e) { find_again(e); });
}

void namespaces::find_again(const caf::error& e) {
  const auto wait
    = std::max(find_delay_.died(node_.serving.now()), backoff::first);
  spdlog::debug("stored services cannot be found yet: {}",
                api::from_caf(e).message);
  self_->delayed_send(self_, wait, find_stored{});
}

void namespaces::open(const api::service_names& stored) {
  std::set<std::string> found{std::string(public_namespace)};
  for (const auto& key : stored.keys)
    found.insert(key.space);
  // Left by a namespaces actor that died.
  for (auto& space : node_.services.spaces())
    found.insert(std::move(space));
  opening_ = found.size();
  for (const auto& space : found) {
    const auto failed = [this, space](const caf::error& e) {
      spdlog::warn("namespace {}: what is stored is not up yet: {}", space,
                   api::from_caf(e).message);
      opened();
    };
    self_->request(add(space), rules_.open_timeout, await_stored{})
      .then([this](const api::done&) { opened(); }, failed);
  }
}

void namespaces::opened() {
  if (--opening_ > 0)
    return;
  ready_ = true;
  if (node_.naming_ready)
    node_.naming_ready();
}

const namespace_actor& namespaces::add(const std::string& space) {
  auto& c = spaces_[space];
  if (!c.actor)
    start(space, c);
  return c.actor;
}

void namespaces::start(const std::string& space, child& c) {
  c.delay.started(node_.serving.now());
  c.actor = spawn_namespace(self_->system(), node_, space);
  self_->monitor(c.actor);
}

void namespaces::restart(const std::string& space) {
  auto& c = spaces_[space];
  if (!c.actor)
    start(space, c);
}

void namespaces::on_down(const caf::down_msg& m) {
  for (auto& [space, c] : spaces_) {
    if (!c.actor || c.actor.address() != m.source)
      continue;
    c.actor = nullptr;
    const auto wait = c.delay.died(node_.serving.now());
    spdlog::error("namespace {} ended ({}), starting it anew in {} ms", space,
                  caf::to_string(m.reason), wait.count());
    if (wait == milliseconds{0})
      start(space, c);
    else
      self_->delayed_send(self_, wait, restart_space{space});
    return;
  }
}

root_actor::behavior_type
run_namespaces(root_actor::stateful_pointer<holder<namespaces>> self,
               node_context* node) {
  auto& s = self->state.it.emplace(self, *node);
  drop_unexpected(self);
  self->set_down_handler([&s](const caf::down_msg& m) { s.on_down(m); });
  using api::done;
  return {
    [&s](const api::open_service& m) {
      return s.pass<api::service_opened>(m.key.space, m);
    },
    [&s](const api::open_config_group& m) {
      return s.pass<api::config_group_actor>(m.space, m);
    },
    [&s](const api::list_services& m) { return s.list(m); },
    [&s](const api::watch_names& m) { return s.pass<done>(m.space, m); },
    [&s](const api::unwatch_names& m) { return s.pass<done>(m.space, m); },
    [&s](find_stored) { s.find(); },
    [&s](const restart_space& m) { s.restart(m.space); },
    [&s](ask_clock) { s.ask(); },
  };
}

} // namespace

api::namespaces_actor spawn_namespaces(caf::actor_system& system,
                                       node_context& node) {
  return system.spawn(run_namespaces, &node);
}

} // namespace muster::runtime
