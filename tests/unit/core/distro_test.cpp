// The parts of distro by tables, and two cores that talk to each other. Whole
// clusters in trouble: tests/sim/distro_test.cpp.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "actors/core/distro/distro_core.hpp"

using namespace muster;
using namespace muster::distro;
using namespace std::chrono_literals;

namespace {

constexpr steady_time start{10'000'000ms};
const auto key =
    std::make_shared<const service_key>(service_key{"public", "g", "s"});

std::vector<peer> peers(std::size_t count) {
  std::vector<peer> out;
  for (std::size_t i = 1; i <= count; ++i)
    out.push_back({node_id{i}, "10.0.0." + std::to_string(i) + ":8848", i});
  return out;
}

naming::instance_ptr instance(const std::string& ip, std::string note = {}) {
  naming::instance i;
  i.ip = ip;
  i.port = 80;
  if (!note.empty())
    i.metadata.emplace("note", std::move(note));
  return std::make_shared<const naming::instance>(std::move(i));
}

std::string client(std::size_t number) {
  return "10.1.0." + std::to_string(number) + ":80#true";
}

std::shared_ptr<publication> made(std::size_t number, node_life owner,
                                  std::uint64_t revision,
                                  std::string note = {}) {
  auto p = std::make_shared<publication>();
  p->service = key;
  p->client_id = client(number);
  p->from = {revision, owner, false};
  p->instances.push_back(
      instance("10.1.0." + std::to_string(number), std::move(note)));
  return p;
}

/// Two nodes without a network: messages are carried by hand.
struct pair_of_nodes {
  distro_settings settings;
  naming::revision_clock clocks[2];
  distro_core a;
  distro_core b;
  steady_time now = start;
  std::vector<order> orders[2];
  std::vector<output::ended> answers[2];
  std::vector<output::incoming> calls[2];
  std::size_t largest = 0;

  explicit pair_of_nodes(distro_settings s = {})
      : settings(s), a({node_id{1}, 1}, settings, clocks[0], start),
        b({node_id{2}, 2}, settings, clocks[1], start) {}

  void meet() {
    a.set_members(std::make_shared<const ring>(node_id{1}, peers(2)), now);
    b.set_members(std::make_shared<const ring>(node_id{2}, peers(2)), now);
  }
  /// Takes what one says; `deliver` false: it is lost.
  bool carry(bool deliver = true) {
    bool any = false;
    for (auto* core : {&a, &b}) {
      auto& other = core == &a ? b : a;
      const std::size_t i = core == &a ? 0 : 1;
      auto out = core->take_output(now);
      std::ranges::move(out.orders, std::back_inserter(orders[i]));
      std::ranges::move(out.answers, std::back_inserter(answers[i]));
      std::ranges::move(out.calls, std::back_inserter(calls[i]));
      for (const auto& m : out.messages) {
        any = true;
        largest = std::max(largest, m.body->size());
        if (deliver)
          other.receive(node_id{i + 1}, *m.body, now);
      }
    }
    return any;
  }
  void pass(milliseconds t, bool deliver = true) {
    for (const auto end = now + t; now < end; now += 100ms) {
      a.tick(now);
      b.tick(now);
      while (carry(deliver)) {
      }
    }
  }
  bool equal() const {
    for (const node_life owner : {node_life{node_id{1}, 1}, {node_id{2}, 2}})
      if (a.known().sums(owner) != b.known().sums(owner))
        return false;
    return a.size() == b.size();
  }
};

} // namespace

TEST_CASE("distro: nodes agree on who is responsible, and few clients move") {
  auto all = peers(5);
  const ring one(node_id{1}, all);
  std::ranges::reverse(all);
  const ring two(node_id{2}, all);
  all[0].down = true; // node 5
  const ring without(node_id{1}, all);
  std::map<node_id, int> shares;
  for (std::size_t n = 0; n < 5'000; ++n) {
    const auto id = client(n);
    const auto owner = one.responsible(id);
    ++shares[owner];
    CHECK(two.responsible(id) == owner);
    if (owner != node_id{5})
      CHECK(without.responsible(id) == owner);
    else
      CHECK(without.responsible(id) != owner);
  }
  for (const auto& [_, share] : shares)
    CHECK(std::abs(share - 1'000) < 150);
  for (auto& p : all)
    p.takes_clients = false;
  CHECK(ring(node_id{3}, all).responsible(client(1)) == node_id{3});
}

TEST_CASE("distro: sums tell contents, not the order in which they came") {
  const node_life owner{node_id{1}, 7};
  table one;
  table two;
  for (std::size_t n = 0; n < 100; ++n)
    one.put(made(n, owner, 1'000 + n));
  for (std::size_t n = 100; n > 0; --n) {
    two.put(made(n - 1, owner, 5));
    two.put(made(n - 1, owner, 1'000 + n - 1));
  }
  CHECK(one.sums(owner) == two.sums(owner));
  CHECK(one.count(owner) == 100);
  two.put(made(3, owner, 2'000));
  CHECK(one.sums(owner) != two.sums(owner));
  one.put(made(3, owner, 2'000));
  CHECK(one.sums(owner) == two.sums(owner));
  for (std::size_t n = 0; n < 100; ++n)
    one.erase({key->view(), client(n)});
  CHECK(one.sums(owner) == bucket_sums{});
  CHECK(one.owners().empty());
  CHECK(one.size() == 0);
}

TEST_CASE("distro: a change is told in a flush; lost ones are found by sums") {
  pair_of_nodes nodes;
  nodes.meet();
  nodes.pass(300ms);
  CHECK(nodes.a.loaded());
  nodes.a.changed(made(1, {node_id{1}, 1}, 100), nodes.now);
  nodes.pass(200ms);
  REQUIRE(nodes.orders[1].size() == 1);
  CHECK(nodes.orders[1][0].kind == order::what::apply);
  CHECK(nodes.equal());

  // A change, a newcomer and a removal that the other node does not hear of.
  nodes.a.changed(made(1, {node_id{1}, 1}, 101), nodes.now);
  nodes.a.changed(made(2, {node_id{1}, 1}, 102), nodes.now);
  nodes.pass(200ms, false);
  CHECK_FALSE(nodes.equal());
  nodes.pass(6s);
  CHECK(nodes.equal());
  auto removal = made(2, {node_id{1}, 1}, 103);
  removal->instances.clear();
  nodes.a.changed(removal, nodes.now);
  nodes.pass(200ms, false);
  CHECK(nodes.b.size() == 2);
  nodes.pass(6s);
  CHECK(nodes.equal());
  CHECK(nodes.b.size() == 1);
  CHECK(nodes.orders[1].back().kind == order::what::remove);
}

TEST_CASE(
    "distro: a node that starts is told everything, in bounded messages") {
  distro_settings small;
  small.message_bytes_max = 20'000;
  small.named_max = 100;
  pair_of_nodes nodes(small);
  // What node 2 owned before it was started anew is told, too.
  for (std::size_t n = 0; n < 600; ++n)
    nodes.a.found(
        made(n, {node_id{n % 2 + 1}, 1}, 100 + n, std::string(500, 'x')));
  nodes.meet();
  CHECK_FALSE(nodes.b.loaded());
  nodes.pass(2s);
  CHECK(nodes.b.loaded());
  CHECK(nodes.b.size() == 600);
  CHECK(nodes.largest < 2 * small.message_bytes_max);
  const auto taken =
      std::ranges::count(nodes.orders[1], order::what::adopt, &order::kind);
  CHECK(taken > 0); // of the former life of node 2: now somebody's
}

TEST_CASE("distro: without a peer that can be reached, the load is over soon") {
  naming::revision_clock clock;
  const distro_settings settings;
  for (const bool bounced : {true, false}) {
    distro_core core({node_id{1}, 1}, settings, clock, start);
    core.set_members(std::make_shared<const ring>(node_id{1}, peers(3)), start);
    auto now = start;
    while (!core.loaded() && now < start + 60s) {
      core.tick(now);
      for (const auto& m : core.take_output(now).messages)
        if (bounced)
          core.unsent(m.to, now);
      now += 100ms;
    }
    CHECK(now - start >= settings.unreachable_after);
    CHECK(now - start
          <= (bounced ? settings.unreachable_after : settings.load_at_most)
                 + 300ms);
  }
}

TEST_CASE("distro: what does not parse, or no node makes, is dropped alone") {
  pair_of_nodes nodes;
  nodes.meet();
  nodes.pass(300ms);
  nodes.b.receive(node_id{1}, "no message", nodes.now);
  pb::DistroMessage m;
  m.set_boot(1);
  const node_life owner{node_id{1}, 1};
  to_wire(*made(1, owner, 0), *m.add_changes()); // no revision
  to_wire(*made(2, owner, std::uint64_t{1} << 63U), *m.add_changes());
  to_wire(*made(3, owner, 5), *m.add_changes());
  m.mutable_changes(2)->mutable_instances(0)->set_port(70'000);
  to_wire(*made(4, owner, 5), *m.add_changes());
  m.mutable_changes(3)->set_health(9);
  to_wire(*made(5, owner, 5, "\xff\xfe is no UTF-8"), *m.add_changes());
  m.mutable_verify()->add_sums(1); // not as many as there are parts
  m.add_pulls()->add_parts(5'000);
  m.add_pulled()->set_round(77);
  m.add_answers()->set_id(99);
  nodes.b.receive(node_id{1}, m.SerializeAsString(), nodes.now);
  CHECK(nodes.b.size() == 1);
  const auto kept = nodes.b.known().find({key->view(), client(5)});
  REQUIRE(kept);
  CHECK(kept->instances[0]->metadata.at("note") == "\xff\xfe is no UTF-8");
  // From somebody who is no member, nothing.
  nodes.b.receive(node_id{9}, m.SerializeAsString(), nodes.now);
  CHECK(nodes.b.size() == 1);
}

TEST_CASE("distro: calls end: answered, late, without a way, too many") {
  distro_settings few;
  few.calls_max = 3;
  pair_of_nodes nodes(few);
  nodes.meet();
  nodes.pass(300ms);
  const client_call beat{client_call::what::beat, *key, client(1), 0, {}};
  const auto end_of = [&](std::uint64_t id) {
    for (const auto& e : nodes.answers[0])
      if (e.id == id)
        return e.answer;
    FAIL("the call has not ended");
    return call_answer{};
  };

  const auto first = nodes.a.call(node_id{2}, beat, nodes.now);
  nodes.pass(200ms);
  REQUIRE(nodes.calls[1].size() == 1);
  nodes.b.answer(nodes.calls[1][0], {{errc::ok, {}}, true, 5s});
  nodes.pass(200ms);
  CHECK(end_of(first).failure.code == errc::ok);
  CHECK(end_of(first).known);
  CHECK(end_of(first).interval == 5s);

  const auto late = nodes.a.call(node_id{2}, beat, nodes.now);
  nodes.pass(few.call_timeout + 200ms, false);
  CHECK(end_of(late).failure.code == errc::unavailable);

  const auto bounced = nodes.a.call(node_id{2}, beat, nodes.now);
  nodes.a.unsent(node_id{2}, nodes.now);
  nodes.carry(false);
  CHECK(end_of(bounced).failure.code == errc::unavailable);

  std::vector<std::uint64_t> many;
  for (int i = 0; i < 4; ++i)
    many.push_back(nodes.a.call(node_id{2}, beat, nodes.now));
  nodes.carry(false);
  CHECK(end_of(many.back()).failure.code == errc::unavailable);
}

TEST_CASE("distro: a publication comes with the answer that made it") {
  pair_of_nodes nodes;
  nodes.meet();
  nodes.pass(300ms);
  nodes.a.call(
      node_id{2},
      {client_call::what::publish, *key, client(1), 0, {instance("10.1.0.1")}},
      nodes.now);
  nodes.pass(200ms);
  REQUIRE(nodes.calls[1].size() == 1);
  CHECK(nodes.calls[1][0].call.instances.size() == 1);
  nodes.b.changed(made(1, {node_id{2}, 2}, 50), nodes.now);
  nodes.b.answer(nodes.calls[1][0], {});
  nodes.carry(); // no flush yet: it is in the answer
  nodes.carry();
  REQUIRE(nodes.orders[0].size() == 1);
  CHECK(nodes.orders[0][0].kind == order::what::apply);
  CHECK(nodes.answers[0].size() == 1);
}
