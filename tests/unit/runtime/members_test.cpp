// Members of a cluster that change while it runs and takes writes.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/runtime/whole_cluster.hpp"

using namespace muster;
using namespace std::chrono_literals;

namespace {

using test::whole_node;
using what = api::change_member::what;

config_key key_of(std::size_t number) {
  return {"public", "g" + std::to_string(number % 11),
          "d" + std::to_string(number)};
}

/// Nodes 1, 2, … on loopback; three of them found the cluster.
struct changing_cluster {
  static constexpr std::size_t places = 4;
  static constexpr std::size_t groups = 5; ///< 0…4
  std::array<std::uint16_t, places> ports = test::free_ports<places>();
  std::vector<std::unique_ptr<whole_node>> nodes{places};

  changing_cluster() {
    for (const std::size_t at : {0, 1, 2})
      begin(at, {0, 1, 2}, "directory");
    for (const std::size_t at : {0, 1, 2})
      nodes[at]->wait_serving();
    for (const std::size_t at : {0, 1, 2})
      whole_node::wait([&] { return knows_directories(at) == 3; });
    whole_node::wait([&] { return rows(0).size() == 3; });
  }

  /// Of how many members a node knows with which directory they entered.
  std::size_t knows_directories(std::size_t at) const {
    const auto record =
        nodes[at]->remembered().value_or(pb::MembershipRecord{});
    return static_cast<std::size_t>(
        std::ranges::count_if(record.members(), [](const auto& m) {
          return !m.incarnation().empty();
        }));
  }

  cluster::member member(std::size_t at) const {
    return {.id = node_id{at + 1},
            .host = "127.0.0.1",
            .http_port = ports[at],
            .cluster_port = ports[at]};
  }

  /// A node with an empty data directory of that name.
  void begin(std::size_t at, const std::vector<std::size_t>& configured,
             const std::string& directory) {
    runtime::cluster_options options;
    options.address = "127.0.0.1";
    options.self = member(at);
    options.probe_every = 100ms * test::slowness;
    options.incarnation = directory + std::to_string(at);
    options.times.heartbeat_every = 50ms * test::slowness;
    options.times.election_after = 300ms * test::slowness;
    options.times.answer_wait = 1s * test::slowness;
    options.times.leader_wait = 4s * test::slowness;
    options.placement.look_every = 100ms;
    for (const auto other : configured)
      if (other != at)
        options.peers.push_back(member(other));
    nodes[at] = std::make_unique<whole_node>(node_id{at + 1}, options);
    nodes[at]->begin();
  }

  void stop(std::size_t at) { nodes[at]->node.reset(); }
  /// With what it has kept, and the list it was configured with.
  void restart(std::size_t at) {
    nodes[at]->options.cluster->remembered = nodes[at]->remembered();
    nodes[at]->begin();
  }

  result<model::outcome> change(std::size_t by, what kind, std::size_t who) {
    caf::scoped_actor self{nodes[by]->node->system()};
    result<model::outcome> answer = fail(errc::unavailable, "no placement");
    if (const auto placement = nodes[by]->node->placement())
      self->request(placement, 15s, api::change_member{{}, kind, member(who)})
          .receive([&](const model::outcome& o) { answer = o; },
                   [&](const caf::error& e) {
                     answer = std::unexpected(api::from_caf(e));
                   });
    return answer;
  }
  void require_change(std::size_t by, what kind, std::size_t who) {
    const auto done = change(by, kind, who);
    REQUIRE_MESSAGE(done, done.error().message);
    REQUIRE_MESSAGE(done->code == errc::ok, done->message);
  }

  /// By place; empty if not all groups have a leader.
  std::map<std::size_t, api::member_survey::row> rows(std::size_t by) {
    caf::scoped_actor self{nodes[by]->node->system()};
    std::map<std::size_t, api::member_survey::row> out;
    const auto placement = nodes[by]->node->placement();
    if (!placement)
      return out;
    self->request(placement, 15s, api::survey_members{})
        .receive(
            [&](const api::member_survey& s) {
              if (s.groups_known == s.groups)
                for (const auto& row : s.rows)
                  out[row.record.node() - 1] = row;
            },
            [](const caf::error&) {});
    return out;
  }

  /// Until there are so many members, with votes in so many groups each.
  void wait_for(std::size_t by, std::size_t members, std::size_t votes_min) {
    whole_node::wait([&] {
      const auto now = rows(by);
      return now.size() == members
             && std::ranges::all_of(now, [&](const auto& r) {
                  return r.second.votes >= votes_min && r.second.held == groups;
                });
    });
  }

  void write(std::size_t by, std::size_t number, const std::string& value) {
    whole_node::wait([&] {
      caf::scoped_actor self{nodes[by]->node->system()};
      const auto done = nodes[by]->publish(self, key_of(number), value);
      return done && done->code == errc::ok;
    });
  }
  bool shows(std::size_t at, std::size_t number, const std::string& value) {
    caf::scoped_actor self{nodes[at]->node->system()};
    return nodes[at]->content(self, key_of(number)) == value;
  }
};

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
  // Partition 0 has four voters, the others three each of the four.
  c.wait_for(0, 4, 3);
  for (const auto& each : c.nodes)
    whole_node::wait([&] { return each->node->members()->all.size() == 4; });

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
           && now[2].held == changing_cluster::groups;
  });
  whole_node::wait([&] {
    return c.nodes[0]->node->members()->find(node_id{3})->state
           == api::member_state::draining;
  });
  // It serves as before.
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
