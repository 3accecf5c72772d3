// Snapshots between three nodes on loopback: a member that is too far behind
// for the log gets the tables, whatever dies on the way, and tells who watches.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <caf/send.hpp>

#include "storage/rocksdb/engine.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/unit/runtime/whole_cluster.hpp"

using namespace muster;
using namespace std::chrono_literals;

namespace {

using test::whole_cluster;
using test::whole_node;

constexpr std::uint64_t groups = 5;

/// Logs are cut all the time and parts are small, so that everything happens.
void hurry(whole_node& node) {
  auto& o = node.options;
  o.housekeeping.compact_after_entries = 1;
  o.housekeeping.look_every = 5ms;
  o.housekeeping.kept_entries = 2;
  auto& s = o.cluster->snapshots;
  s.part_bytes = 300;
  s.offer_every = 100ms;
  s.quiet_max = 2s;
  s.stalled_after = 300ms;
  s.retry_every = 20ms;
}

config_key key_of(std::size_t number) {
  return {"public", "g" + std::to_string(number % 11),
          "d" + std::to_string(number)};
}

/// All a node has of a group, and up to where.
std::pair<raft::log_position, std::string> tables_of(whole_node& node,
                                                     std::uint64_t group) {
  const auto exporter = node.tables.export_group(partition_id{group});
  REQUIRE(exporter);
  std::string text;
  REQUIRE((*exporter)->read(
      {}, [&](table_id table, std::string_view key, std::string_view value) {
        text += std::to_string(static_cast<int>(table));
        text.append(key).append(value);
        return true;
      }));
  return {(*exporter)->position(), std::move(text)};
}

struct snapshot_cluster : whole_cluster {
  snapshot_cluster() : whole_cluster(hurry) {}

  void must_publish(std::size_t at, std::size_t number,
                    const std::string& value) {
    // An unknown outcome may be asked for again: the value is the same.
    whole_node::wait([&] {
      const auto done = publish(at, key_of(number), value);
      return done && done->code == errc::ok;
    });
  }

  /// Until the others have forgotten what this one lacks, in all groups.
  void leave_behind(std::size_t behind) {
    std::vector<log_index> last;
    for (std::uint64_t g = 0; g < groups; ++g)
      last.push_back(nodes[behind]->logs.load(partition_id{g})->last);
    const auto is_cut = [&](std::size_t at, std::uint64_t g) {
      const auto stored = nodes[at]->logs.load(partition_id{g});
      return stored && stored->snapshot.last.index > last[g];
    };
    std::size_t n = 0;
    whole_node::wait([&] {
      must_publish((behind + 1) % 3, n % 20, "behind" + std::to_string(n));
      ++n;
      for (std::uint64_t g = 1; g < groups; ++g)
        if (!is_cut((behind + 1) % 3, g) || !is_cut((behind + 2) % 3, g))
          return false;
      return true;
    });
  }

  void wait_equal() {
    for (std::uint64_t g = 0; g < groups; ++g)
      whole_node::wait([&] {
        const auto first = tables_of(*nodes[0], g);
        return first.first.index.value > 0 && tables_of(*nodes[1], g) == first
               && tables_of(*nodes[2], g) == first;
      });
  }

  /// How far snapshots have brought a node, all groups together.
  std::uint64_t imported(std::size_t at) {
    std::uint64_t sum = 0;
    for (std::uint64_t g = 0; g < groups; ++g)
      sum += nodes[at]->tables.imported(partition_id{g})->last.index.value;
    return sum;
  }

  void kill(std::size_t at, const std::string& what) {
    for (const auto& [name, actor] : nodes[at]->node->actors())
      if (name == what)
        caf::anon_send_exit(actor, caf::exit_reason::kill);
  }
};

/// On disk, in a directory that goes with it.
struct disk_stores final : test::whole_stores {
  disk_stores() {
    storage::engine_options options;
    options.data = {directory.path(), {node_id{1}, "test"}, {}, {}, {}};
    auto opened = storage::engine::open(options);
    REQUIRE_MESSAGE(opened.has_value(), opened.error().message);
    engine = std::move(*opened);
  }
  raft::log_store& logs() override { return engine->logs(); }
  raft::state_store& tables() override { return engine->tables(); }

  test::temporary_directory directory;
  std::unique_ptr<storage::engine> engine;
};

constexpr std::uint64_t mib = 1U << 20U;
constexpr std::uint64_t large = 96 * mib;
constexpr std::uint64_t row_bytes = 2'000;

/// Gives all nodes but the third the same tables, larger than what any of them
/// may hold in memory, as if they had applied much.
void fill_but_third(whole_node& node) {
  if (node.options.self == node_id{3})
    return;
  const auto rows = node.tables.import_group(partition_id{1});
  std::mt19937_64 random(7);
  std::string value(row_bytes, '\0');
  for (std::uint64_t at = 0; at < large; at += row_bytes) {
    for (std::size_t i = 0; i + 8 <= value.size(); i += 8) {
      const auto next = random();
      std::memcpy(value.data() + i, &next, sizeof next);
    }
    std::string key(8, '\0');
    for (std::size_t i = 0; i < 8; ++i)
      key[7 - i] = static_cast<char>(at >> (8 * i));
    REQUIRE(rows->add(table_id::history, key, value));
  }
  REQUIRE(rows->finish({{term_id{1}, log_index{10'000}},
                        {{node_id{1}, node_id{2}, node_id{3}}, {}, {}}}));
}

/// Memory the process has had at most.
std::uint64_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:"))
      return std::stoull(line.substr(6)) * 1024;
  return 0;
}

} // namespace

TEST_CASE("snapshot: tables larger than the memory that is taken for them") {
  const auto fill = [](whole_node& node) {
    node.options.cluster->times.election_after = 1s;
    fill_but_third(node);
  };
  const auto begun = std::chrono::steady_clock::now();
  const auto before = peak_bytes();
  whole_cluster c(fill, [] { return std::make_unique<disk_stores>(); });
  const auto took = std::chrono::steady_clock::now() - begun;
  const auto grown = peak_bytes() - before;
  whole_node::wait(
      [&] { return tables_of(*c.nodes[2], 1) == tables_of(*c.nodes[0], 1); });
  CHECK(c.nodes[2]->tables.imported(partition_id{1})->last.index
        >= log_index{10'000});
  const auto ms = std::chrono::duration_cast<milliseconds>(took).count();
  MESSAGE("tables of ", large / mib, " MiB made twice and sent in ", ms,
          " ms, peak memory ", grown / mib, " MiB more");
#ifndef __SANITIZE_ADDRESS__
  // Freed memory stays with the process there, as much as these tables have.
  CHECK(grown < large / 2);
#endif
}

TEST_CASE("snapshot: a node that was away too long comes back as the others") {
  snapshot_cluster c;
  for (std::size_t away = 0; away < 3; ++away) {
    for (std::size_t n = 0; n < 60; ++n)
      c.must_publish(n % 3, n, std::to_string(away * 100 + n));
    c.stop(away);
    {
      caf::scoped_actor self{c.nodes[(away + 1) % 3]->node->system()};
      whole_node::wait([&] {
        const auto gone = c.nodes[(away + 1) % 3]->remove(self, key_of(50));
        return gone && gone->code == errc::ok;
      });
    }
    c.leave_behind(away);
    c.restart(away);
    c.wait_equal();
    CHECK(c.imported(away) > 0);
    CHECK(c.content(away, key_of(50)) == "");
    CHECK(c.content(away, key_of(40)) == std::to_string(away * 100 + 40));
    // It takes part again.
    c.must_publish(away, 1, "back");
    CHECK(c.content(away, key_of(1)) == "back");
  }
}

TEST_CASE(
    "snapshot: writes go on meanwhile, and nothing acknowledged is lost") {
  snapshot_cluster c;
  for (std::size_t n = 0; n < 200; ++n)
    c.must_publish(n % 3, 100 + n, std::string(200, 'x'));
  std::map<std::size_t, std::vector<std::string>> allowed;
  std::jthread writer([&](const std::stop_token& stop) {
    caf::scoped_actor self{c.nodes[0]->node->system()};
    for (std::size_t n = 0; !stop.stop_requested(); ++n) {
      const auto value = std::to_string(n);
      const auto done = c.nodes[0]->publish(self, key_of(50 + n % 20), value);
      auto& values = allowed[50 + n % 20];
      if (done && done->code == errc::ok)
        values = {value};
      else if (!done && !done.error().retriable())
        values.push_back(value);
    }
  });
  for (std::size_t round = 0; round < 3; ++round) {
    const auto away = 1 + round % 2;
    c.stop(away);
    c.leave_behind(away);
    const auto before = c.imported(away);
    c.restart(away);
    whole_node::wait([&] { return c.imported(away) > before; });
  }
  writer.request_stop();
  writer.join();
  c.wait_equal();
  for (const auto& [n, values] : allowed)
    CHECK((values.empty()
           || std::ranges::find(values, c.content(2, key_of(n)))
                  != values.end()));
  for (std::size_t n = 0; n < 200; ++n)
    CHECK(c.content(1, key_of(100 + n)) == std::string(200, 'x'));
}

TEST_CASE("snapshot: who watches is told of what the jump changed") {
  snapshot_cluster c;
  // All of one group, and of none that others write.
  const auto changed = key_of(303);
  const auto removed = key_of(314);
  const auto unchanged = key_of(325);
  for (const auto& key : {changed, removed, unchanged}) {
    const auto done = c.publish(0, key, "old");
    REQUIRE(done);
  }
  auto& far = *c.nodes[2];
  caf::scoped_actor self{far.node->system()};
  for (const auto& key : {changed, removed, unchanged})
    whole_node::wait([&] { return far.content(self, key) == "old"; });
  REQUIRE(far.node->configs().find(removed.view()));

  api::config_group_actor group;
  self->request(far.node->namespaces(), 10s,
                api::open_config_group{{}, "public", changed.group})
      .receive([&](const api::config_group_actor& g) { group = g; },
               [](const caf::error&) {});
  REQUIRE(group);
  bool watches = false;
  self->request(group, 10s,
                api::watch_configs{
                    {caf::actor_cast<caf::actor>(self), 7},
                    {changed.data_id, removed.data_id, unchanged.data_id}})
      .receive([&](const api::done&) { watches = true; },
               [](const caf::error&) {});
  REQUIRE(watches);

  c.cut(2);
  c.must_publish(0, 303, "new");
  {
    caf::scoped_actor other{c.nodes[0]->node->system()};
    whole_node::wait([&] {
      const auto gone = c.nodes[0]->remove(other, removed);
      return gone && gone->code == errc::ok;
    });
  }
  c.leave_behind(2);
  c.must_publish(0, 303, "newest");
  c.mend(2);

  std::map<std::string, model::config_changed> told;
  while (!told.contains(changed.data_id) || !told.contains(removed.data_id)) {
    bool in_time = true;
    self->receive(
        [&](const api::config_fired& f) {
          CHECK(f.tokens == std::vector<std::uint64_t>{7});
          told[f.change.key.data_id] = f.change;
        },
        caf::after(20s) >> [&] { in_time = false; });
    REQUIRE(in_time);
  }
  CHECK(told.at(removed.data_id).removed);
  CHECK(told.at(removed.data_id).now == nullptr);
  CHECK_FALSE(told.contains(unchanged.data_id));
  whole_node::wait([&] { return far.content(self, changed) == "newest"; });
  CHECK(far.content(self, removed) == "");
  CHECK(far.content(self, unchanged) == "old");
  c.wait_equal();
  CHECK(c.imported(2) > 0);
}

TEST_CASE("snapshot: any actor of both ends may die on the way") {
  snapshot_cluster c;
  for (std::size_t n = 0; n < 200; ++n)
    c.must_publish(n % 3, 100 + n, std::string(100, 'y'));
  for (const auto* victim : {"snapshot_receiver", "snapshot_sender", "gate",
                             "replica", "state_worker", "log_writer"}) {
    INFO("killed " << victim);
    c.cut(2);
    c.leave_behind(2);
    const auto before = c.imported(2);
    c.mend(2);
    for (std::size_t round = 0; round < 3; ++round) {
      for (std::size_t at = 0; at < 3; ++at)
        c.kill(at, victim);
      c.must_publish(0, round, victim + std::to_string(round));
    }
    whole_node::wait([&] { return c.imported(2) > before; });
    c.wait_equal();
  }
}

TEST_CASE("snapshot: cut connections do not lose it") {
  snapshot_cluster c;
  for (std::size_t n = 0; n < 300; ++n)
    c.must_publish(n % 3, 100 + n, std::string(300, 'z'));
  for (std::size_t round = 0; round < 4; ++round) {
    c.cut(2);
    c.leave_behind(2);
    const auto before = c.imported(2);
    for (std::size_t n = 0; n < 3; ++n) {
      c.mend(2);
      c.must_publish(0, 1, std::to_string(round) + '.' + std::to_string(n));
      c.cut(2);
    }
    c.mend(2);
    whole_node::wait([&] { return c.imported(2) > before; });
    c.wait_equal();
  }
}

// A crash between the two steps of an installation.
TEST_CASE("snapshot: a log that is older than imported tables is cut to them") {
  whole_node n;
  const config_key key{"public", "g", "d"};
  const auto group = n.holder(key);
  {
    caf::scoped_actor self{n.node->system()};
    REQUIRE(n.publish(self, key, "old"));
  }
  n.node.reset();
  const auto stored = n.logs.load(group);
  REQUIRE(stored);
  const raft::snapshot_meta meta{
      {stored->last_term, log_index{stored->last.value + 50}},
      {{node_id{1}}, {}, {}}};
  REQUIRE(n.tables.import_group(group)->finish(meta));
  n.start();
  caf::scoped_actor self{n.node->system()};
  CHECK(n.logs.load(group)->snapshot == meta);
  CHECK(n.content(self, key) == "");
  const auto again = n.publish(self, key, "new");
  REQUIRE(again);
  CHECK(again->index > meta.last.index);
  CHECK(n.content(self, key) == "new");
}
