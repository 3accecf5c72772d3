// Nodes that have no replica of a partition: they read, write and watch all the
// same, while replicas come and go.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <caf/event_based_actor.hpp>

#include "actors/runtime/partition_wire.hpp"
#include "tests/unit/cluster/changing_cluster.hpp"

using namespace muster;
using namespace std::chrono_literals;

namespace {

using test::changing_cluster;
using test::key_of;
using test::whole_node;
using what = api::change_member::what;

/// How many partitions but 0 a node shows from tables of its own.
std::size_t shown(const changing_cluster& c, std::size_t at) {
  const auto list = c.nodes[at]->node->members();
  return list->own().shows.size();
}

/// Whether a node has rows of a partition.
bool has_tables(const changing_cluster& c, std::size_t at, std::uint64_t p) {
  const auto position = c.nodes[at]->tables.applied(partition_id{p});
  REQUIRE(position);
  return position->index != log_index{};
}

bool shows_partition(const changing_cluster& c, std::size_t at,
                     std::uint64_t p) {
  const auto list = c.nodes[at]->node->members();
  return std::ranges::binary_search(list->own().shows, p);
}

/// Each of the four partitions is on three of the nodes, and nowhere else.
void wait_spread(changing_cluster& c, std::size_t count) {
  c.wait_for(0, count, 0);
  whole_node::wait([&] {
    std::size_t all = 0;
    for (std::size_t at = 0; at < count; ++at)
      all += shown(c, at);
    return all == 12;
  });
  for (std::size_t at = 0; at < count; ++at)
    for (std::uint64_t p = 1; p < changing_cluster::groups; ++p)
      whole_node::wait(
          [&] { return has_tables(c, at, p) == shows_partition(c, at, p); });
}

template <class Answer, class Handle, class Message>
result<Answer> ask(changing_cluster& c, std::size_t at, const Handle& to,
                   Message message) {
  caf::scoped_actor self{c.nodes[at]->node->system()};
  result<Answer> out = fail(errc::unknown, "no answer");
  self->request(to, 10s, std::move(message))
      .receive([&](const Answer& a) { out = a; },
               [&](const caf::error& e) {
                 out = std::unexpected(api::from_caf(e));
               });
  return out;
}

/// Counts what it is told about one config, on one node. Watches anew if the
/// config's group ends, as all watchers do.
class watcher {
public:
  watcher(changing_cluster& c, std::size_t at, config_key key)
      : cluster_(c), at_(at), key_(std::move(key)) {
    actor_ = c.nodes[at]->node->system().spawn(
        [this](caf::event_based_actor* self) -> caf::behavior {
          self->set_down_handler(
              [this](const caf::down_msg&) { ended_ = true; });
          return {[this](const api::config_fired&) { ++told_; },
                  [self](const caf::actor& group) { self->monitor(group); }};
        });
    watch();
  }
  ~watcher() { caf::anon_send_exit(actor_, caf::exit_reason::kill); }

  /// Told, or its group ended, in which case all is compared.
  bool woke() {
    if (told_.exchange(0) > 0)
      return true;
    if (!ended_.exchange(false))
      return false;
    watch();
    return true;
  }

private:
  void watch() {
    auto& node = *cluster_.nodes[at_]->node;
    const auto group = ask<api::config_group_actor>(
        cluster_, at_, node.namespaces(),
        api::open_config_group{{}, key_.space, key_.group});
    REQUIRE(group);
    caf::anon_send(actor_, caf::actor_cast<caf::actor>(*group));
    REQUIRE(ask<api::done>(cluster_, at_, *group,
                           api::watch_configs{{actor_, 1}, {key_.data_id}}));
  }

  changing_cluster& cluster_;
  std::size_t at_;
  config_key key_;
  std::atomic<std::size_t> told_{0};
  std::atomic<bool> ended_{false};
  caf::actor actor_;
};

/// Written by one node it is shown by that node at once, and by all soon.
void write_and_show(changing_cluster& c, std::size_t count, std::size_t by,
                    std::size_t number, const std::string& value) {
  c.write(by, number, value);
  CHECK(c.shows(by, number, value));
  for (std::size_t at = 0; at < count; ++at)
    whole_node::wait([&] { return c.shows(at, number, value); });
}

} // namespace

TEST_CASE("partition proxy: five nodes with three replicas each serve all") {
  changing_cluster c{5};
  wait_spread(c, 5);
  for (std::size_t by = 0; by < 5; ++by)
    for (std::size_t n = 0; n < 12; ++n)
      write_and_show(c, 5, by, n, std::to_string(by) + "-" + std::to_string(n));
  for (std::size_t at = 0; at < 5; ++at) {
    CAPTURE(at);
    std::size_t names = 0;
    std::uint64_t counted = 0;
    for (std::uint64_t p = 1; p < changing_cluster::groups; ++p) {
      auto& node = *c.nodes[at]->node;
      const auto listed = ask<api::config_names>(
          c, at, node.tables(partition_id{p}),
          api::list_config_names{{}, partition_id{p}, "public"});
      REQUIRE(listed);
      names += listed->keys.size();
      const auto counts = ask<api::config_counts>(
          c, at, node.tables(partition_id{p}),
          api::count_configs{{}, partition_id{p}});
      REQUIRE(counts);
      for (const auto& [space, count] : counts->by_space)
        counted += space == "public" ? count : 0;
    }
    CHECK(names == 12);
    CHECK(counted == 12);
    const auto history = ask<api::history_rows>(
        c, at, c.nodes[at]->node->tables(c.nodes[at]->holder(key_of(3))),
        api::list_history{{}, key_of(3), 0, 100});
    REQUIRE(history);
    CHECK(history->rows.size() == 5);
    CHECK(history->rows.front().content() == "3-3"); // what was replaced
    const auto reached = ask<log_index>(
        c, at, c.nodes[at]->node->replica(c.nodes[at]->holder(key_of(3))),
        api::read_barrier{});
    CHECK(reached);
  }
}

TEST_CASE("partition proxy: who reads elsewhere hears how new that is") {
  changing_cluster c{3};
  c.write(0, 1, "first");
  const auto group = c.nodes[0]->holder(key_of(1));
  whole_node::wait([&] { return shows_partition(c, 0, group.value); });
  const auto what = std::make_shared<pb::PartitionRead>();
  runtime::to_wire(key_of(1), *what->mutable_config());
  std::size_t asked = 0;
  for (const auto& [name, actor] : c.nodes[0]->node->actors())
    if (name == "partition_server") {
      const auto bytes = ask<std::string>(
          c, 0, actor, runtime::read_partition{group, what});
      REQUIRE(bytes);
      pb::PartitionAnswer answer;
      REQUIRE(answer.ParseFromString(*bytes));
      CHECK(answer.config().formal().content() == "first");
      // Else a later read at another node could show what was before.
      CHECK(answer.config().revision() > 0);
      CHECK(answer.read_at() >= answer.config().revision());
      ++asked;
    }
  CHECK(asked == 1);
}

TEST_CASE("partition proxy: watchers wake on all nodes, whoever goes") {
  changing_cluster c{5};
  wait_spread(c, 5);
  c.write(0, 1, "first");
  std::vector<std::unique_ptr<watcher>> watchers;
  for (std::size_t at = 0; at < 4; ++at)
    watchers.push_back(std::make_unique<watcher>(c, at, key_of(1)));
  const auto all_woke = [&] {
    std::vector<bool> woke(watchers.size());
    whole_node::wait([&] {
      for (std::size_t at = 0; at < watchers.size(); ++at)
        woke[at] = woke[at] || watchers[at]->woke();
      return std::ranges::count(woke, true) == std::ssize(woke);
    });
  };
  c.write(3, 1, "second");
  all_woke();
  // Some read there, and follow what changes there.
  c.stop(4);
  c.write(2, 1, "third");
  all_woke();
  for (std::size_t at = 0; at < 4; ++at)
    whole_node::wait([&] { return c.shows(at, 1, "third"); });
  c.restart(4);
  c.nodes[4]->wait_serving();
  whole_node::wait([&] { return c.shows(4, 1, "third"); });
  c.write(4, 1, "fourth");
  all_woke();
}

TEST_CASE("partition proxy: each kind of actor may die") {
  changing_cluster c{5};
  wait_spread(c, 5);
  c.write(0, 1, "first");
  std::vector<std::unique_ptr<watcher>> watchers;
  for (std::size_t at = 0; at < 5; ++at)
    watchers.push_back(std::make_unique<watcher>(c, at, key_of(1)));
  for (const std::string kind : {"partition_proxy", "partition_server",
                                 "state_worker", "replica", "log_writer"}) {
    CAPTURE(kind);
    std::size_t killed = 0;
    for (std::size_t at = 0; at < 5; ++at)
      for (const auto& [name, actor] : c.nodes[at]->node->actors())
        if (name == kind) {
          caf::anon_send_exit(actor, caf::exit_reason::kill);
          ++killed;
        }
    CHECK(killed >= 5);
    c.write(2, 1, "after the death of each " + kind);
    for (std::size_t at = 0; at < 5; ++at) {
      CAPTURE(at);
      whole_node::wait(
          [&] { return c.shows(at, 1, "after the death of each " + kind); });
      whole_node::wait([&] { return watchers[at]->woke(); });
    }
  }
}

TEST_CASE("partition proxy: replicas leave a node and come back to it") {
  changing_cluster c{3};
  for (std::size_t n = 0; n < 12; ++n)
    c.write(n % 3, n, "before");
  for (const std::size_t at : {3, 4}) {
    c.begin(at, {0, at}, "directory");
    c.require_change(0, what::add, at);
    c.nodes[at]->wait_serving();
  }
  wait_spread(c, 5);
  for (std::size_t at = 0; at < 5; ++at)
    for (std::size_t n = 0; n < 12; ++n)
      CHECK(c.shows(at, n, "before"));
  // What was given up stays so.
  for (std::size_t at = 0; at < 5; ++at) {
    c.stop(at);
    c.restart(at);
    c.nodes[at]->wait_serving();
    for (std::size_t n = 0; n < 12; ++n)
      whole_node::wait([&] { return c.shows(at, n, "before"); });
  }
  wait_spread(c, 5);
  for (const std::size_t at : {4, 3}) {
    c.require_change(0, what::remove, at);
    whole_node::wait([&] { return c.rows(0).size() == at; });
    c.stop(at);
  }
  wait_spread(c, 3);
  for (std::size_t n = 0; n < 12; ++n)
    write_and_show(c, 3, n % 3, n, "after");
  // Their votes count, and what they have is whole.
  c.stop(0);
  for (std::size_t n = 0; n < 12; ++n) {
    c.write(1, n, "without the first");
    whole_node::wait([&] { return c.shows(2, n, "without the first"); });
  }
}

TEST_CASE("partition proxy: any may die while it takes over") {
  changing_cluster c{3};
  for (std::size_t n = 0; n < 12; ++n)
    c.write(n % 3, n, "before");
  for (const std::size_t at : {3, 4}) {
    c.begin(at, {0, at}, "directory");
    c.require_change(0, what::add, at);
  }
  const auto all_shown = [&] {
    std::size_t all = 0;
    for (std::size_t at = 0; at < 5; ++at)
      all += shown(c, at);
    return all;
  };
  // Now and then, so that some of them get on.
  std::size_t looks = 0;
  whole_node::wait([&] {
    if (++looks % 20 == 0)
      for (std::size_t at = 0; at < 3; ++at)
        for (const auto& [name, actor] : c.nodes[at]->node->actors())
          if (name == "partition_proxy")
            caf::anon_send_exit(actor, caf::exit_reason::kill);
    return looks > 100 && all_shown() == 12;
  });
  wait_spread(c, 5);
  for (std::size_t n = 0; n < 12; ++n)
    write_and_show(c, 5, n % 5, n, "after");
}

namespace {

/// Counts what makes tables durable.
struct counting_stores final : test::whole_stores {
  struct counting_tables final : storage::memory_state_store {
    std::atomic<std::size_t> flushes{0};
    result<void> flush() override {
      ++flushes;
      return memory_state_store::flush();
    }
  };
  raft::log_store& logs() override { return all_logs; }
  raft::state_store& tables() override { return all_tables; }
  storage::memory_log_store all_logs;
  counting_tables all_tables;
};

} // namespace

TEST_CASE("partition proxy: a node that gave up replicas has no work with them") {
  changing_cluster c{3,
                     {.compact_after = 100ms, .look_every = 20ms},
                     [] { return std::make_unique<counting_stores>(); }};
  const auto flushes = [&](std::size_t at) {
    return static_cast<counting_stores&>(*c.nodes[at]->stores)
        .all_tables.flushes.load();
  };
  for (std::size_t n = 0; n < 12; ++n)
    c.write(0, n, "before");
  const auto is_quiet = [&](std::size_t at) {
    // Once all is compacted nothing is flushed any more.
    auto before = flushes(at);
    auto quiet_since = std::chrono::steady_clock::now();
    whole_node::wait([&] {
      const auto now = std::chrono::steady_clock::now();
      const auto count = flushes(at);
      if (std::exchange(before, count) != count)
        quiet_since = now;
      return now - quiet_since > 1s;
    });
  };
  for (std::size_t at = 0; at < 3; ++at)
    is_quiet(at);
  for (const std::size_t at : {3, 4}) {
    c.begin(at, {0, at}, "directory");
    c.require_change(0, what::add, at);
  }
  wait_spread(c, 5);
  for (std::size_t at = 0; at < 5; ++at) {
    CAPTURE(at);
    is_quiet(at);
  }
}

TEST_CASE("partition proxy: what crosses is what was there") {
  auto formal = std::make_shared<config_version>();
  formal->id = 7;
  formal->content = std::string("a\0b\xff", 4);
  formal->md5 = "m";
  formal->type = "json";
  formal->app_name = "\xff is no UTF-8";
  formal->encrypted_data_key = "e";
  formal->modify_time_ms = 8;
  auto gray = std::make_shared<gray_version>();
  gray->name = "beta";
  gray->rule_type = "beta";
  gray->expression = "10.0.0.1";
  gray->priority = -3;
  gray->body.content = "g";
  auto made = std::make_shared<config_snapshot>();
  made->key = key_of(1);
  made->revision = 42;
  SUBCASE("both") {
    made->formal = formal;
    made->grays = {gray};
  }
  SUBCASE("formal only") { made->formal = formal; }
  SUBCASE("gray only") { made->grays = {gray}; }
  SUBCASE("none") {
    pb::ConfigVersions out;
    runtime::to_wire(config_snapshot_ptr{}, out);
    CHECK(runtime::from_wire(key_of(1), out) == nullptr);
    return;
  }
  pb::ConfigVersions out;
  runtime::to_wire(config_snapshot_ptr{made}, out);
  pb::ConfigVersions in;
  REQUIRE(in.ParseFromString(out.SerializeAsString()));
  const auto read = runtime::from_wire(key_of(1), in);
  REQUIRE(read);
  CHECK(read->key == made->key);
  CHECK(read->revision == 42);
  REQUIRE((read->formal != nullptr) == (made->formal != nullptr));
  if (read->formal) {
    CHECK(read->formal->id == 7);
    CHECK(read->formal->content == formal->content);
    CHECK(read->formal->md5 == "m");
    CHECK(read->formal->type == "json");
    CHECK(read->formal->app_name == formal->app_name);
    CHECK(read->formal->encrypted_data_key == "e");
    CHECK(read->formal->modify_time_ms == 8);
  }
  REQUIRE(read->grays.size() == made->grays.size());
  if (!read->grays.empty()) {
    CHECK(read->grays[0]->name == "beta");
    CHECK(read->grays[0]->rule_type == "beta");
    CHECK(read->grays[0]->expression == "10.0.0.1");
    CHECK(read->grays[0]->priority == -3);
    CHECK(read->grays[0]->body.content == "g");
  }
}
