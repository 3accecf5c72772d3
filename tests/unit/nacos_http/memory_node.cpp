#include "tests/unit/nacos_http/memory_node.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include <boost/asio/post.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/api/errors.hpp"
#include "actors/core/model/queries.hpp"
#include "protocols/common/router.hpp"
#include "protocols/nacos/http/routes.hpp"

namespace muster::test {

namespace {

using shared_state = std::shared_ptr<memory_state>;

/// Applies at once and tells the watched group.
model::outcome apply(memory_state& s, const pb::Command& command,
                     partition_id partition) {
  const std::lock_guard lock(s.mutex);
  s.proposed.push_back(command);
  const log_index at{++s.index};
  const auto applied = model::apply(command, partition, at, s.tables);
  for (const auto& event : applied.events) {
    if (const auto* change = std::get_if<model::config_changed>(&event.what)) {
      s.configs.publish(change->key, change->now);
      if (s.group)
        caf::anon_send(s.group, event);
    }
  }
  return applied.result;
}

api::replica_actor::behavior_type replica_of(shared_state s) {
  return {[s](const api::propose& p) {
            return apply(*s, *p.command, partition_id{1});
          },
          [](const api::read_barrier&) { return log_index{1}; }};
}

api::state_actor::behavior_type tables_of(shared_state s) {
  return {[s](const api::load_config& l) {
            const std::lock_guard lock(s->mutex);
            return api::config_loaded{model::load_config(s->tables, l.key)};
          },
          [](const api::list_config_names&) { return api::config_names{}; },
          [](const api::load_service&) { return api::service_state{}; },
          [](const api::list_stored_services&) { return api::service_names{}; },
          [s](const api::list_namespaces&) {
            const std::lock_guard lock(s->mutex);
            api::namespace_list list;
            for (auto& [id, record] : model::namespaces(s->tables))
              list.rows.push_back({id, record});
            return list;
          },
          [s](const api::count_configs& c) {
            const std::lock_guard lock(s->mutex);
            if (c.partition != partition_id{1})
              return api::config_counts{};
            return api::config_counts{model::config_counts(s->tables)};
          },
          [](const api::list_history&) { return api::history_rows{}; },
          [](const api::load_cluster&) { return api::cluster_loaded{}; }};
}

using instance_list = std::vector<std::shared_ptr<const naming::instance>>;

/// Puts a client's instances in place of its earlier ones.
void publish(api::service_slot& slot, const std::string& client_id,
             const instance_list& instances) {
  const auto old = slot.view();
  auto view = std::make_shared<naming::service_view>();
  view->key = old->key;
  view->definition = old->definition;
  view->version = old->version + 1;
  view->last_ref_ms = old->last_ref_ms + 1;
  view->kind_fixed = true;
  for (const auto& host : old->hosts)
    if (host->client_id != client_id)
      view->hosts.push_back(host);
  for (const auto& one : instances) {
    auto copy = *one;
    copy.instance_id = copy.ip + "#id";
    auto host = std::make_shared<naming::hosted_instance>();
    host->shown = host->registered =
        std::make_shared<const naming::instance>(std::move(copy));
    host->client_id = client_id;
    view->hosts.push_back(std::move(host));
  }
  slot.publish(std::move(view));
}

bool known(const api::service_slot& slot, const std::string& client_id) {
  return std::ranges::any_of(slot.view()->hosts, [&](const auto& host) {
    return host->client_id == client_id;
  });
}

/// Who watches a service; told of every change at once.
class service_watchers {
public:
  service_watchers(shared_state s, std::shared_ptr<api::service_slot> slot)
      : state_(std::move(s)), slot_(std::move(slot)) {
    // nop
  }
  ~service_watchers() { count(-watchers_.size()); }
  naming::service_view_ptr add(const api::watcher& who) {
    watchers_.push_back(who);
    count(1);
    return slot_->view();
  }
  void remove(const api::watcher& who) {
    count(-std::erase_if(watchers_, [&](const api::watcher& other) {
      return other.token == who.token;
    }));
  }
  void tell() const {
    for (const auto& who : watchers_)
      caf::anon_send(who.target,
                     api::service_fired{{who.token}, slot_->view()});
  }

private:
  void count(std::size_t more) {
    const std::lock_guard lock(state_->mutex);
    state_->service_watches += more;
  }
  shared_state state_;
  std::shared_ptr<api::service_slot> slot_;
  std::vector<api::watcher> watchers_;
};

api::service_actor::behavior_type
service_of(shared_state s, std::shared_ptr<api::service_slot> slot) {
  auto watchers = std::make_shared<service_watchers>(s, slot);
  return {
      [slot,
       watchers](const api::publish_instances& p) -> caf::result<api::done> {
        if (slot->key().service == "persistent")
          return api::to_caf({errc::failed_precondition, "other kind"});
        publish(*slot, p.client_id, p.instances);
        watchers->tell();
        return api::done{};
      },
      [slot, watchers](const api::retract_instances& r) {
        publish(*slot, r.client_id, {});
        watchers->tell();
        return api::done{};
      },
      [slot, watchers](const api::beat_instance& b) {
        if (b.full && !known(*slot, b.client_id)) {
          publish(*slot, b.client_id, {b.full});
          watchers->tell();
        }
        return api::beat_answer{known(*slot, b.client_id), milliseconds{5000}};
      },
      [s](const api::change_service& c) {
        return apply(*s, *c.command, partition_id{0});
      },
      [watchers](const api::watch_service& w) { return watchers->add(w.who); },
      [watchers](const api::unwatch_service& w) {
        watchers->remove(w.who);
        return api::done{};
      },
      [](const api::count_watchers&) { return std::size_t{0}; },
      [](const model::event&) {}};
}

/// Tells every watcher of every change; enough for one poll at a time.
api::config_group_actor::behavior_type group_of(shared_state s) {
  auto watchers = std::make_shared<std::vector<api::watcher>>();
  return {[s, watchers](const api::watch_configs& w) {
            watchers->push_back(w.who);
            const std::lock_guard lock(s->mutex);
            ++s->watched;
            return api::done{};
          },
          [s, watchers](const api::unwatch_configs& w) {
            std::erase_if(*watchers, [&](const api::watcher& other) {
              return other.token == w.who.token;
            });
            const std::lock_guard lock(s->mutex);
            ++s->unwatched;
            return api::done{};
          },
          [watchers](const model::event& e) {
            for (const auto& who : *watchers)
              caf::anon_send(
                  who.target,
                  api::config_fired{{who.token},
                                    std::get<model::config_changed>(e.what)});
          }};
}

api::namespaces_actor::behavior_type
namespaces_of(api::namespaces_actor::pointer self, shared_state s) {
  return {[self, s](const api::open_service& o) {
            auto slot = s->services.insert(o.key);
            if (!slot->actor()) {
              slot->set_actor(self->spawn(&service_of, s, slot));
              const std::lock_guard lock(s->mutex);
              s->spawned.push_back(caf::actor_cast<caf::actor>(slot->actor()));
            }
            return api::service_opened{slot};
          },
          [s](const api::open_config_group&) {
            const std::lock_guard lock(s->mutex);
            return s->group;
          },
          [](const api::list_services&) { return api::service_page{}; },
          [](const api::watch_names&) { return api::done{}; },
          [](const api::unwatch_names&) { return api::done{}; }};
}

} // namespace

memory_node::memory_node()
    : replica_(system_.spawn(&replica_of, shared)),
      tables_(system_.spawn(&tables_of, shared)),
      namespaces_(system_.spawn(&namespaces_of, shared)) {
  shared->group = system_.spawn(&group_of, shared);
}

memory_node::~memory_node() {
  // Handles in the shared state keep actors, actors keep the shared state.
  const std::lock_guard lock(shared->mutex);
  auto& all = shared->spawned;
  all.push_back(caf::actor_cast<caf::actor>(replica_));
  all.push_back(caf::actor_cast<caf::actor>(tables_));
  all.push_back(caf::actor_cast<caf::actor>(namespaces_));
  all.push_back(caf::actor_cast<caf::actor>(shared->group));
  for (const auto& handle : all)
    caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
  all.clear();
  shared->group = nullptr;
}

caller::caller(memory_node& node)
    : node_(node), pool_({1, {}}, node.system(), node.time()) {
  pool_.start();
}

caller::~caller() {
  pool_.stop();
}

namespace {

/// All that a request points into.
struct held_request {
  call what;
  std::string path;
  http::request request;
  std::shared_ptr<test_link> link;
};

std::shared_ptr<held_request> make_request(const call& what,
                                           std::shared_ptr<test_link> link) {
  auto held = std::make_shared<held_request>();
  held->what = what;
  held->link = std::move(link);
  auto& r = held->request;
  r.verb = what.verb;
  r.target = held->what.target;
  const auto mark = r.target.find('?');
  held->path = "/nacos" + std::string{r.target.substr(0, mark)};
  r.path = held->path;
  if (mark != std::string_view::npos)
    r.query = r.target.substr(mark + 1);
  r.body = held->what.form;
  r.peer_ip = "127.0.0.1";
  if (!what.form.empty())
    r.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  for (const auto& [name, value] : held->what.headers)
    r.headers.emplace_back(name, value);
  return held;
}

} // namespace

std::future<http::response> caller::start(const call& what,
                                          std::shared_ptr<test_link> link) {
  static const std::array products{nacos::http_product(),
                                   nacos::topology_product({})};
  static const common::router router(products);
  auto held = make_request(what, std::move(link));
  const auto found = router.find(held->request.verb, held->request.path,
                                 held->request.path_values);
  REQUIRE(found.route);
  auto promise = std::make_shared<std::promise<http::response>>();
  pool_.spawn(0,
              [this, held, promise,
               row = found.route->row]() -> boost::asio::awaitable<void> {
                common::context context{node_, held->request, *held->link,
                                        nullptr, parts.get()};
                auto answer = co_await row->call(context);
                promise->set_value(std::move(answer));
              });
  return promise->get_future();
}

http::response caller::operator()(const call& what) {
  auto answer = start(what, std::make_shared<test_link>());
  REQUIRE(answer.wait_for(std::chrono::seconds(10))
          == std::future_status::ready);
  return answer.get();
}

void caller::post(std::function<void()> what) {
  boost::asio::post(pool_.io(0), std::move(what));
}

void caller::settle() {
  // What a handler posted is queued only when it has returned, which may be
  // after its answer was seen: once for that, once for what it posted.
  for (int round = 0; round < 2; ++round) {
    auto done = std::make_shared<std::promise<void>>();
    auto reached = done->get_future();
    post([done] { done->set_value(); });
    REQUIRE(reached.wait_for(std::chrono::seconds(10))
            == std::future_status::ready);
  }
}

std::string header_of(const http::response& r, std::string_view name) {
  for (const auto& [key, value] : r.headers)
    if (http::equal_ignoring_case(key, name))
      return value;
  return "(absent)";
}

std::string body_of(const http::response& r) {
  if (!r.rendered)
    return std::string{r.body_view()};
  const auto end = r.rendered->find("\r\n\r\n");
  return r.rendered->substr(end + 4);
}

} // namespace muster::test
