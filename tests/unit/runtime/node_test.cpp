// The write path on real threads: acknowledged means applied and readable, and
// no actor's death loses an acknowledged write or stops the service.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "actors/runtime/node.hpp"
#include "storage/memory/memory_store.hpp"

using namespace muster;
using namespace std::chrono_literals;

namespace {

constexpr auto deadline = 20s;

struct fixture {
  storage::memory_log_store logs;
  storage::memory_state_store tables;
  std::optional<runtime::node> node;

  explicit fixture(runtime::housekeeper_settings housekeeping = {}) {
    start(housekeeping);
  }

  void start(runtime::housekeeper_settings housekeeping = {}) {
    runtime::node_options options;
    options.facts.partitions = 4;
    options.housekeeping = housekeeping;
    node.emplace(options, logs, tables, system_clock());
    node->start();
    wait([&] { return node->state() == api::node_state::serving; });
  }

  template <class F>
  static void wait(F&& condition) {
    const auto until = std::chrono::steady_clock::now() + deadline;
    while (!condition()) {
      REQUIRE(std::chrono::steady_clock::now() < until);
      std::this_thread::yield();
    }
  }

  partition_id holder(const config_key& key) const {
    return model::config_partition(key.space, key.group, 4);
  }

  /// One publish; the outcome, or the error of the attempt.
  result<model::outcome> publish(caf::scoped_actor& self, const config_key& key,
                                 const std::string& content) {
    auto command = std::make_shared<pb::Command>();
    command->set_time_ms(1);
    auto& body = *command->mutable_config_publish();
    body.mutable_key()->set_namespace_id(key.space);
    body.mutable_key()->set_group(key.group);
    body.mutable_key()->set_data_id(key.data_id);
    body.set_content(content);
    body.set_md5("md5 of " + content);
    body.set_type("text");
    const auto replica = node->replica(holder(key));
    if (!replica)
      return fail(errc::unavailable, "no replica now");
    result<model::outcome> answer = fail(errc::unknown, "");
    self->request(replica, 10s, api::propose{{}, std::move(command)})
      .receive([&](model::outcome& o) { answer = std::move(o); },
               [&](const caf::error& e) {
                 answer = std::unexpected(api::from_caf(e));
               });
    return answer;
  }

  std::string content(caf::scoped_actor& self, const config_key& key) {
    if (auto known = node->configs().find(key.view()))
      return *known ? (*known)->formal->content : "";
    std::string found;
    wait([&] {
      const auto tables_now = node->tables(holder(key));
      if (!tables_now)
        return false;
      bool done = false;
      self->request(tables_now, 10s, api::load_config{{}, key})
        .receive(
          [&](const api::config_loaded& c) {
            found = c.snapshot ? c.snapshot->formal->content : "";
            done = true;
          },
          [](const caf::error&) {});
      return done;
    });
    return found;
  }
};

config_key key_number(std::size_t n) {
  return {"public", "g" + std::to_string(n % 7), "d" + std::to_string(n)};
}

} // namespace

TEST_CASE("a publish is readable on this node once it is acknowledged") {
  fixture f;
  caf::scoped_actor self{f.node->system()};
  for (std::size_t n = 0; n < 50; ++n) {
    const auto key = key_number(n);
    const auto o = f.publish(self, key, "v" + std::to_string(n));
    REQUIRE(o);
    CHECK(o->code == errc::ok);
    const auto seen = f.node->configs().find(key.view());
    REQUIRE(seen);
    CHECK((*seen)->formal->content == "v" + std::to_string(n));
  }
}

TEST_CASE("a read barrier answers with an applied index") {
  fixture f;
  caf::scoped_actor self{f.node->system()};
  const config_key key{"public", "g", "d"};
  const auto written = f.publish(self, key, "x");
  REQUIRE(written);
  log_index at;
  self->request(f.node->replica(f.holder(key)), 10s, api::read_barrier{})
    .receive([&](log_index i) { at = i; }, [](const caf::error&) {});
  CHECK(at >= written->index);
}

TEST_CASE("a node finds its configs again after an orderly restart") {
  fixture f;
  {
    caf::scoped_actor self{f.node->system()};
    REQUIRE(f.publish(self, {"public", "g", "d"}, "kept"));
  }
  f.node->stop();
  f.node.reset();
  f.start();
  caf::scoped_actor self{f.node->system()};
  CHECK(f.content(self, {"public", "g", "d"}) == "kept");
}

TEST_CASE("compaction keeps the state and cuts the log") {
  runtime::housekeeper_settings often;
  often.compact_after_entries = 1;
  often.look_every = 5ms;
  fixture f{often};
  const config_key key{"public", "g", "d"};
  const auto group = f.holder(key);
  {
    caf::scoped_actor self{f.node->system()};
    for (int n = 0; n < 100; ++n)
      REQUIRE(f.publish(self, key, std::to_string(n)));
  }
  fixture::wait([&] {
    const auto stored = f.logs.load(group);
    return stored && stored->snapshot.last.index > log_index{50};
  });
  f.node.reset();
  f.start(often);
  caf::scoped_actor self{f.node->system()};
  CHECK(f.content(self, key) == "99");
}

TEST_CASE("killing any actor of the write path loses nothing acknowledged") {
  fixture f;
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> acknowledged{0};
  // Writers: each owns its keys and remembers the last acknowledged value and
  // the ones after it whose outcome it does not know.
  struct writer {
    std::map<std::size_t, std::vector<std::string>> allowed;
    std::thread thread;
  };
  std::vector<writer> writers(4);
  for (std::size_t w = 0; w < writers.size(); ++w)
    writers[w].thread = std::thread([&, w] {
      caf::scoped_actor self{f.node->system()};
      for (std::size_t n = 0; !stop; ++n) {
        const auto id = (n % 8) * writers.size() + w;
        const auto value = std::to_string(n);
        const auto o = f.publish(self, key_number(id), value);
        auto& allowed = writers[w].allowed[id];
        if (o && o->code == errc::ok) {
          allowed = {value};
          ++acknowledged;
        } else if (!o && o.error().code == errc::unknown) {
          allowed.push_back(value);
        }
      }
    });
  for (int round = 0; round < 3; ++round)
    for (std::size_t victim = 0; victim < f.node->actors().size(); ++victim) {
      const auto before = acknowledged.load();
      fixture::wait([&] { return acknowledged.load() > before + 20; });
      const auto actors = f.node->actors();
      if (victim >= actors.size())
        continue;
      INFO("killed " << actors[victim].first);
      const auto killed = std::chrono::steady_clock::now();
      caf::anon_send_exit(actors[victim].second, caf::exit_reason::kill);
      const auto at_kill = acknowledged.load();
      // Back means: every partition takes writes again.
      fixture::wait([&] { return acknowledged.load() > at_kill + 64; });
      CHECK(std::chrono::steady_clock::now() - killed < 5s);
    }
  stop = true;
  for (auto& w : writers)
    w.thread.join();
  caf::scoped_actor self{f.node->system()};
  for (const auto& w : writers)
    for (const auto& [id, allowed] : w.allowed) {
      const auto found = f.content(self, key_number(id));
      INFO("key " << id << " holds " << found);
      const bool legal
        = allowed.empty()
          || std::find(allowed.begin(), allowed.end(), found) != allowed.end();
      CHECK(legal);
    }
}
