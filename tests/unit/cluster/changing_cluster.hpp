#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "tests/unit/runtime/whole_cluster.hpp"

namespace muster::test {

/// Keys in all partitions.
inline config_key key_of(std::size_t number) {
  return {"public", "g" + std::to_string(number % 11),
          "d" + std::to_string(number)};
}

/// Nodes 1, 2, … on loopback; the first ones found the cluster.
struct changing_cluster {
  using what = api::change_member::what;
  static constexpr std::size_t places = 6;
  static constexpr std::size_t groups = 5; ///< 0…4
  std::array<std::uint16_t, places> ports = free_ports<places>();
  std::vector<std::unique_ptr<whole_node>> nodes{places};

  std::function<std::unique_ptr<whole_stores>()> make_stores;
  runtime::housekeeper_settings housekeeping;

  explicit changing_cluster(
      std::size_t founders = 3, runtime::housekeeper_settings how = {},
      std::function<std::unique_ptr<whole_stores>()> stores = [] {
        return std::make_unique<memory_stores>();
      })
      : make_stores(std::move(stores)), housekeeping(how) {
    std::vector<std::size_t> all(founders);
    std::iota(all.begin(), all.end(), std::size_t{0});
    for (const auto at : all)
      begin(at, all, "directory");
    for (const auto at : all)
      nodes[at]->wait_serving();
    for (const auto at : all)
      whole_node::wait([&] { return knows_directories(at) == founders; });
    whole_node::wait([&] { return rows(0).size() == founders; });
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
    options.probe_every = 100ms * slowness;
    options.incarnation = directory + std::to_string(at);
    options.times.heartbeat_every = 50ms * slowness;
    options.times.election_after = 300ms * slowness;
    options.times.answer_wait = 1s * slowness;
    options.times.leader_wait = 4s * slowness;
    options.placement.look_every = 100ms;
    for (const auto other : configured)
      if (other != at)
        options.peers.push_back(member(other));
    nodes[at] = std::make_unique<whole_node>(node_id{at + 1}, options,
                                             make_stores());
    nodes[at]->options.housekeeping = housekeeping;
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

  /// Until there are so many members, with votes in so many groups each:
  /// partition 0 on all of them, the others on three.
  void wait_for(std::size_t by, std::size_t members, std::size_t votes_min) {
    whole_node::wait([&] {
      const auto now = rows(by);
      std::size_t held = 0;
      for (const auto& [_, row] : now)
        held += row.held;
      return now.size() == members && held == members + 3 * (groups - 1)
             && std::ranges::all_of(now, [&](const auto& r) {
                  return r.second.votes >= votes_min;
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

} // namespace muster::test
