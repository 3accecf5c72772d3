// Every kind of actor is killed while clients publish configs, register
// instances and listen, on real threads: nothing acknowledged is lost, no watch
// goes silent, and the service is back soon.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "tests/unit/runtime/whole_node.hpp"

using namespace muster;
using namespace std::chrono_literals;

namespace {

using test::whole_node;
using stop_flag = std::atomic<bool>;

/// Publishes configs of its own, one after the other.
struct publisher {
  whole_node& f;
  std::size_t number;
  std::size_t of;
  std::atomic<std::size_t> acknowledged{0};
  /// Last acknowledged value of a key and those after it whose outcome is not
  /// known.
  std::map<std::size_t, std::vector<std::string>> allowed{};

  config_key key(std::size_t id) const {
    return {"public", "g" + std::to_string(id % 7), "d" + std::to_string(id)};
  }

  void run(const stop_flag& stop) {
    caf::scoped_actor self{f.node->system()};
    for (std::size_t n = 0; !stop; ++n) {
      const auto id = (n % 8) * of + number;
      const auto value = std::to_string(n);
      const auto o = f.publish(self, key(id), value);
      if (o && o->code == errc::ok) {
        allowed[id] = {value};
        ++acknowledged;
      } else if (!o && o.error().code == errc::unknown) {
        allowed[id].push_back(value);
      }
    }
  }

  void check(caf::scoped_actor& self) const {
    for (const auto& [id, values] : allowed) {
      const auto found = f.content(self, key(id));
      CHECK_MESSAGE((values.empty()
                     || std::ranges::find(values, found) != values.end()),
                    "key " << id << " holds " << found);
    }
  }
};

/// Registers instances of heart-beat clients, again and again.
struct registrar {
  whole_node& f;
  std::size_t number;
  std::atomic<std::size_t> acknowledged{0};
  std::set<std::pair<std::string, std::string>> registered{}; // service, ip

  static service_key key(const std::string& name) {
    return {"public", "g", name};
  }

  std::shared_ptr<api::service_slot> open(caf::scoped_actor& self,
                                          const service_key& key) {
    if (auto known = f.node->services().find(key.view()))
      return known;
    std::shared_ptr<api::service_slot> slot;
    if (const auto to = f.node->namespaces())
      self->request(to, 5s, api::open_service{{}, key})
        .receive([&](const api::service_opened& o) { slot = o.slot; },
                 [](const caf::error&) {});
    return slot;
  }

  void run(const stop_flag& stop) {
    caf::scoped_actor self{f.node->system()};
    for (std::size_t n = 0; !stop; ++n) {
      const auto name = "s" + std::to_string(n % 3);
      const auto ip = "10.0." + std::to_string(number) + "."
                      + std::to_string(n % 200);
      const auto slot = open(self, key(name));
      const auto to = slot ? slot->actor() : api::service_actor{};
      if (!to)
        continue;
      naming::instance i;
      i.ip = ip;
      i.port = 80;
      const std::vector list{std::make_shared<const naming::instance>(i)};
      self
        ->request(to, 5s,
                  api::publish_instances{{}, ip + ":80#true", nullptr, list})
        .receive(
          [&](const api::done&) {
            registered.emplace(name, ip);
            ++acknowledged;
          },
          [](const caf::error&) {});
    }
  }

  bool all_shown() const {
    std::map<std::string, std::set<std::string>> shown;
    for (const auto* name : {"s0", "s1", "s2"})
      if (const auto slot = f.node->services().find(key(name).view())) {
        // A range-for would keep a part of what is looked at alone.
        const auto view = slot->view();
        for (const auto& h : view->hosts)
          shown[name].insert(h->shown->ip);
      }
    return std::ranges::all_of(registered, [&](const auto& one) {
      return shown[one.first].contains(one.second);
    });
  }
};

/// A client that listens, and answers what it is told.
struct listener final : api::push_sink {
  bool push(const api::push_item& item, std::uint64_t id) override {
    const std::lock_guard lock(mutex);
    if (item.kind == api::push_item::what::config)
      ++told;
    caf::anon_send(me, api::push_answered{id, true});
    return true;
  }
  void close(std::string_view) override { closed = true; }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return told;
  }

  std::mutex mutex;
  api::connection_actor me;
  std::size_t told = 0;
  std::atomic<bool> closed{false};
};

/// A node and its clients at work.
struct busy_node {
  busy_node() {
    api::client_info info;
    info.connection_id = "listener";
    const auto connected = f.node->connect(std::move(info), sink);
    REQUIRE(connected);
    sink->me = *connected;
    auto listens = false;
    self
      ->request(sink->me, 5s,
                api::client_listen{{}, {publishers[0].key(0)}, {}})
      .receive([&](const api::done&) { listens = true; },
               [](const caf::error&) {});
    REQUIRE(listens);
    for (auto& p : publishers)
      threads.emplace_back([&] { p.run(stop); });
    for (auto& r : registrars)
      threads.emplace_back([&] { r.run(stop); });
  }
  ~busy_node() { end(); }

  void end() {
    stop = true;
    threads.clear();
  }

  /// Until everybody got further and the listener was told of something.
  void wait_progress() {
    constexpr std::size_t further = 40;
    std::vector<std::pair<std::atomic<std::size_t>*, std::size_t>> from;
    for (auto& p : publishers)
      from.emplace_back(&p.acknowledged, p.acknowledged);
    for (auto& r : registrars)
      from.emplace_back(&r.acknowledged, r.acknowledged);
    const auto told = sink->count();
    whole_node::wait([&] {
      return std::ranges::all_of(from, [&](const auto& one) {
        return *one.first >= one.second + further;
      }) && sink->count() > told;
    });
  }

  /// Some actor of that kind; there may be none for a moment.
  caf::actor one_of(const std::string& kind, std::size_t nth) {
    std::vector<caf::actor> found;
    whole_node::wait([&] {
      for (const auto& [name, actor] : f.node->actors())
        if (name == kind)
          found.push_back(actor);
      return !found.empty();
    });
    return found[nth % found.size()];
  }

  whole_node f;
  stop_flag stop{false};
  publisher publishers[2] = {{f, 0, 2}, {f, 1, 2}};
  registrar registrars[2] = {{f, 0}, {f, 1}};
  std::shared_ptr<listener> sink = std::make_shared<listener>();
  caf::scoped_actor self{f.node->system()};
  std::vector<std::jthread> threads;
};

long long in_ms(std::chrono::steady_clock::duration d) {
  return std::chrono::duration_cast<milliseconds>(d).count();
}

} // namespace

TEST_CASE("killing any actor under load loses nothing acknowledged") {
  std::vector<std::chrono::steady_clock::duration> pauses;
  for (std::size_t round = 0; round < 3; ++round) {
    // A new one each time: whoever dies again and again comes back later.
    busy_node n;
    n.wait_progress();
    for (const std::string kind :
         {"log_writer", "state_worker", "replica", "namespaces", "namespace",
          "config_group", "service"}) {
      INFO("killed " << kind);
      const auto victim = n.one_of(kind, round);
      const auto killed = std::chrono::steady_clock::now();
      caf::anon_send_exit(victim, caf::exit_reason::kill);
      n.wait_progress();
      pauses.push_back(std::chrono::steady_clock::now() - killed);
    }
    n.end();
    for (const auto& p : n.publishers)
      p.check(n.self);
    for (const auto& r : n.registrars)
      whole_node::wait([&] { return r.all_shown(); });
    caf::anon_send_exit(n.sink->me, caf::exit_reason::kill);
    whole_node::wait([&] { return n.sink->closed.load(); });
  }
  std::ranges::sort(pauses);
  const auto median = pauses[pauses.size() / 2];
  MESSAGE("back after ", in_ms(median), " ms (median), ", in_ms(pauses.back()),
          " ms (slowest of ", pauses.size(), ")");
  CHECK(median < 1s * test::slowness);
  CHECK(pauses.back() < 5s * test::slowness);
}
