// Members of a cluster that change while it runs and takes writes.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/cluster/changing_cluster.hpp"

using namespace muster;
using namespace std::chrono_literals;

namespace {

using test::changing_cluster;
using test::key_of;
using test::whole_node;
using what = api::change_member::what;

/// One client that writes all the time and knows what it was answered.
class writer {
public:
  explicit writer(changing_cluster& c)
      : cluster_(c), thread_([this] { write(); }) {}
  ~writer() { end(); }

  void end() {
    stop_ = true;
    if (thread_.joinable())
      thread_.join();
  }
  std::size_t acknowledged() const { return acknowledged_; }
  std::size_t refused() const { return refused_; }
  /// What each key may hold.
  const std::map<std::size_t, std::vector<std::string>>& allowed() const {
    return allowed_;
  }

private:
  void write() {
    auto& node = *cluster_.nodes[0];
    caf::scoped_actor self{node.node->system()};
    for (std::size_t n = 0; !stop_; ++n) {
      const auto value = std::to_string(n);
      const auto done = node.publish(self, key_of(n % 20), value);
      auto& values = allowed_[n % 20];
      if (done && done->code == errc::ok) {
        values = {value};
        ++acknowledged_;
      } else {
        ++refused_;
        values.push_back(value);
      }
    }
  }

  changing_cluster& cluster_;
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> acknowledged_{0};
  std::atomic<std::size_t> refused_{0};
  std::map<std::size_t, std::vector<std::string>> allowed_;
  std::thread thread_;
};

} // namespace

TEST_CASE("members: three become four and three again, under writes") {
  changing_cluster c;
  c.begin(3, {0, 3}, "directory");
  // It waits: nobody has added it.
  CHECK_FALSE(c.nodes[3]->node->wait_serving(1s));
  writer w(c);
  c.require_change(1, what::add, 3);
  CHECK(c.change(2, what::add, 3)->existed);
  c.nodes[3]->wait_serving();
  // Twelve votes in partitions 1 to 4 and four in partition 0.
  c.wait_for(0, 4, 3);
  for (std::size_t at = 0; at < 4; ++at)
    whole_node::wait(
        [&] { return c.nodes[at]->node->members()->all.size() == 4; });

  c.require_change(3, what::remove, 1);
  whole_node::wait([&] { return c.rows(0).size() == 3; });
  CHECK_FALSE(c.rows(0).contains(1));
  // Who was removed serves no more.
  whole_node::wait(
      [&] { return c.nodes[1]->node->state() == api::node_state::starting; });
  c.stop(1);
  const auto before = w.acknowledged();
  whole_node::wait([&] { return w.acknowledged() > before + 5; });
  w.end();
  MESSAGE("acknowledged ", w.acknowledged(), ", not ", w.refused());
  for (const auto& [n, values] : w.allowed())
    for (const std::size_t at : {0, 2, 3})
      whole_node::wait([&] {
        return std::ranges::any_of(
            values, [&](const auto& v) { return c.shows(at, n, v); });
      });

  // All of them come back with the members of the record, whatever their
  // configuration says.
  for (const std::size_t at : {0, 2, 3})
    c.stop(at);
  for (const std::size_t at : {0, 2, 3})
    c.restart(at);
  for (const std::size_t at : {0, 2, 3}) {
    c.nodes[at]->wait_serving();
    CHECK(c.nodes[at]->node->members()->all.size() == 3);
    CHECK(c.nodes[at]->node->members()->find(node_id{2}) == nullptr);
    c.write(at, 100 + at, "after");
  }
}

TEST_CASE(
    "members: one that drains votes and leads nowhere, and may come back") {
  changing_cluster c;
  c.require_change(0, what::drain, 2);
  whole_node::wait([&] {
    auto now = c.rows(0);
    return now.size() == 3 && now[2].votes == 0 && now[2].leads == 0
           && now[2].held == 1;
  });
  whole_node::wait([&] {
    return c.nodes[0]->node->members()->find(node_id{3})->state
           == api::member_state::draining;
  });
  // It serves as before, by way of the others.
  c.write(2, 1, "drained");
  CHECK(c.shows(2, 1, "drained"));
  c.require_change(0, what::add, 2);
  c.wait_for(0, 3, changing_cluster::groups);
  // Leaders are spread: five over three nodes.
  whole_node::wait([&] {
    const auto now = c.rows(1);
    return now.size() == 3 && std::ranges::all_of(now, [](const auto& r) {
             return r.second.leads >= 1 && r.second.leads <= 2;
           });
  });
}

TEST_CASE("members: a wiped disk comes back under the old name") {
  changing_cluster c;
  for (std::size_t n = 0; n < 12; ++n)
    c.write(n % 3, n, "before");
  c.stop(2);
  c.begin(2, {0, 1, 2}, "wiped");
  CHECK_FALSE(c.nodes[2]->node->wait_serving(1s));
  whole_node::wait([&] {
    return c.nodes[0]->node->members()->find(node_id{3})->state
           == api::member_state::down;
  });
  const auto last = c.change(0, what::remove, 1);
  CHECK_FALSE_MESSAGE(last, "two of three would be gone");
  c.require_change(0, what::remove, 2);
  whole_node::wait([&] { return c.rows(0).size() == 2; });
  c.write(0, 1, "two");
  c.require_change(1, what::add, 2);
  c.nodes[2]->wait_serving();
  c.wait_for(2, 3, changing_cluster::groups);
  for (std::size_t n = 2; n < 12; ++n)
    CHECK(c.shows(2, n, "before"));
  // Whoever still counts on its former self gets no vote for less than what was
  // committed when it came back.
  for (std::uint64_t p = 0; p < changing_cluster::groups; ++p) {
    const auto stored = c.nodes[2]->logs.load(partition_id{p});
    REQUIRE(stored);
    CHECK(stored->floor > raft::log_position{});
  }
  // Its vote counts: without another one there is a majority.
  c.stop(0);
  c.write(2, 3, "after");
  CHECK(c.shows(2, 3, "after"));
}

TEST_CASE("members: what is refused says why") {
  changing_cluster c;
  const auto stranger = c.change(0, what::drain, 3);
  REQUIRE(stranger);
  CHECK(stranger->code == errc::not_found);
  c.stop(1);
  whole_node::wait([&] {
    return c.nodes[0]->node->members()->find(node_id{2})->state
           == api::member_state::down;
  });
  const auto alone = c.change(0, what::remove, 2);
  REQUIRE_FALSE(alone);
  CHECK(alone.error().code == errc::failed_precondition);
  CHECK(c.change(0, what::remove, 1)->code == errc::ok);
}
