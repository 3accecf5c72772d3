// Three nodes on loopback: every node takes writes and shows them, one may go
// and come back, and without a majority nothing is acknowledged.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <caf/event_based_actor.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/send.hpp>

#include "actors/runtime/peer.hpp"
#include "actors/runtime/spine.hpp"
#include "tests/unit/cluster/tls_papers.hpp"
#include "tests/unit/runtime/whole_cluster.hpp"

using namespace muster;
using namespace std::chrono_literals;

namespace {

using test::whole_cluster;
using test::whole_node;

config_key key_of(std::size_t number) {
  return {"public", "g" + std::to_string(number % 11),
          "d" + std::to_string(number)};
}

cluster::member on_loopback(std::uint64_t id, std::uint16_t port) {
  return {.id = node_id{id},
          .host = "127.0.0.1",
          .http_port = port,
          .cluster_port = port};
}

caf::actor broker_of(caf::actor_system& system) {
  return system.middleman().named_broker<caf::io::basp_broker>(
      caf::atom("BASP"));
}

/// What does not end cannot fail: the program does then.
void end_in_time(whole_cluster& c, std::size_t at) {
  std::atomic<bool> ended{false};
  std::jthread guard([&] {
    if (!test::poll_until([&] { return ended.load(); }, test::deadline))
      std::abort();
  });
  c.stop(at);
  ended = true;
  CHECK_FALSE(c.nodes[at]->node);
}

} // namespace

TEST_CASE("cluster: what one node answered it shows, and all show it soon") {
  whole_cluster c;
  for (std::size_t n = 0; n < 30; ++n) {
    const auto at = n % 3;
    const auto done = c.publish(at, key_of(n), std::to_string(n));
    REQUIRE_MESSAGE(done, done.error().message);
    CHECK(done->code == errc::ok);
    CHECK(c.content(at, key_of(n)) == std::to_string(n));
  }
  for (std::size_t n = 0; n < 30; ++n)
    for (std::size_t at = 0; at < 3; ++at)
      whole_node::wait(
          [&] { return c.content(at, key_of(n)) == std::to_string(n); });
}

TEST_CASE("cluster: figures say who leads, and that work was done") {
  whole_cluster c;
  const auto done = c.publish(0, key_of(0), "x");
  REQUIRE_MESSAGE(done, done.error().message);
  const auto leaders = [&](std::size_t partition) {
    std::uint64_t count = 0;
    for (const auto& each : c.nodes)
      count += each->node->figures().partitions[partition].leads.get();
    return count;
  };
  for (std::size_t p = 0; p <= 4; ++p)
    whole_node::wait([&] { return leaders(p) == 1; });
  for (const auto& each : c.nodes) {
    const auto& figures = each->node->figures();
    CHECK(figures.log_syncs.get() > 0);
    CHECK(figures.log_entries.get() > 0);
    CHECK(figures.peer_messages_sent.get() > 0);
    CHECK(figures.peer_bytes_received.get() > 0);
  }
}

TEST_CASE("cluster: a persistent instance is shown by nodes that had no such "
          "service") {
  whole_cluster c;
  const service_key key{"public", "g", "s"};
  auto command = std::make_shared<pb::Command>();
  command->set_time_ms(1);
  auto& put = *command->mutable_instance_put();
  put.mutable_key()->set_namespace_id(key.space);
  put.mutable_key()->set_group(key.group);
  put.mutable_key()->set_service(key.service);
  put.mutable_record()->set_ip("1.2.3.4");
  put.mutable_record()->set_port(80);
  put.mutable_record()->set_cluster("DEFAULT");
  put.mutable_record()->set_weight(1);
  caf::scoped_actor self{c.nodes[0]->node->system()};
  REQUIRE(c.nodes[0]->propose(self, runtime::meta_partition, command));
  for (const auto& each : c.nodes)
    whole_node::wait([&] {
      const auto slot = each->node->services().find(key.view());
      return slot && slot->view() && slot->view()->hosts.size() == 1;
    });
}

TEST_CASE("cluster: a node may go, and catches up when it comes back") {
  whole_cluster c;
  for (std::size_t gone = 0; gone < 3; ++gone) {
    c.stop(gone);
    for (std::size_t n = 0; n < 12; ++n) {
      const auto at = (gone + 1 + n % 2) % 3;
      const auto value = std::to_string(gone * 100 + n);
      // An unknown outcome may be asked for again: the value is the same.
      whole_node::wait([&] {
        const auto done = c.publish(at, key_of(n), value);
        return done && done->code == errc::ok;
      });
      CHECK(c.content(at, key_of(n)) == value);
    }
    c.restart(gone);
    for (std::size_t n = 0; n < 12; ++n)
      CHECK(c.content(gone, key_of(n)) == std::to_string(gone * 100 + n));
  }
}

TEST_CASE("cluster: reads at a leader that hands over are answered") {
  whole_cluster c;
  const partition_id group{1};
  std::size_t answered = 0, moved = 0;
  for (std::size_t round = 0; round < 60; ++round) {
    const auto at = round % 3;
    auto& node = *c.nodes[at]->node;
    caf::scoped_actor self{node.system()};
    const auto replica = node.replica(group);
    REQUIRE(replica);
    const auto member = caf::actor_cast<runtime::member_actor>(replica);
    auto before = self->request(replica, 10s, api::read_barrier{});
    auto order = self->request(
        member, 10s, runtime::hand_over{node_id{(at + 1) % 3 + 1}});
    auto after = self->request(replica, 10s, api::read_barrier{});
    before.receive([&](log_index) { ++answered; },
                   [](const caf::error& e) { FAIL(caf::to_string(e)); });
    order.receive([&](const api::done&) { ++moved; }, [](const caf::error&) {});
    after.receive([&](log_index) { ++answered; },
                  [](const caf::error& e) { FAIL(caf::to_string(e)); });
  }
  CHECK(answered == 120);
  CHECK(moved > 0);
}

TEST_CASE("cluster: a node ends though much is left to say to others") {
  whole_cluster c;
  auto& system = c.nodes[0]->node->system();
  const auto broker = broker_of(system);
  // Every message has a handle of its sender, whose thread ends after the last
  // of them is gone.
  system.spawn<caf::detached>([broker](caf::event_based_actor* self) {
    for (std::size_t n = 0; n < 300'000; ++n)
      self->send(broker, caf::get_atom::value, self->node());
  });
  end_in_time(c, 0);
  c.restart(0);
  CHECK(c.publish(0, key_of(1), "after"));
}

TEST_CASE("cluster: a node ends though last words come after its connections") {
  whole_cluster c;
  auto& system = c.nodes[0]->node->system();
  const auto broker = broker_of(system);
  std::atomic<bool> is_last{false};
  std::atomic<bool> said{false};
  {
    const auto late = system.spawn<caf::detached>(
        [] { return caf::behavior{[](caf::get_atom) {}}; });
    // An actor counts as ended before its watchers are told, which a busy
    // machine may put off for long.
    late->attach_functor([&, self = late.address()](const caf::error&) {
      is_last = true;
      const auto* end = caf::actor_cast<caf::abstract_actor*>(broker);
      said = test::poll_until(
          [&] { return end->getf(caf::abstract_actor::is_terminated_flag); },
          test::deadline);
      broker->enqueue(caf::actor_cast<caf::strong_actor_ptr>(self), {},
                      caf::make_message(caf::get_atom::value), nullptr);
    });
    caf::anon_send_exit(late, caf::exit_reason::user_shutdown);
  }
  whole_node::wait([&] { return is_last.load(); });
  end_in_time(c, 0);
  CHECK(said);
}

TEST_CASE("cluster: members agree on who they are, a wiped one is kept out") {
  whole_cluster c;
  const auto known = [&](std::size_t at) {
    const auto record = c.nodes[at]->remembered();
    return record ? std::ranges::count_if(
                        record->members(),
                        [](const auto& m) { return !m.incarnation().empty(); })
                  : 0;
  };
  for (std::size_t at = 0; at < 3; ++at)
    whole_node::wait([&] { return known(at) == 3; });
  const auto id = c.nodes[0]->remembered()->id();
  CHECK(id.starts_with("directory-"));
  CHECK(c.nodes[1]->remembered()->id() == id);
  REQUIRE(c.publish(0, key_of(1), "before"));

  c.stop(2);
  auto options = *c.nodes[2]->options.cluster;
  options.incarnation = "another directory";
  options.remembered.reset();
  c.nodes[2] = std::make_unique<whole_node>(node_id{3}, options);
  c.nodes[2]->begin();
  // The others go on without it, and it never gets to serve: it would vote
  // without knowing what it voted before.
  REQUIRE(c.publish(1, key_of(1), "after"));
  CHECK_FALSE(c.nodes[2]->node->wait_serving(3s));
  CHECK(c.nodes[2]->node->members()->find(node_id{1})->boot == 0);
  CHECK(c.nodes[0]->node->members()->find(node_id{3})->state
        != api::member_state::up);
}

TEST_CASE("cluster: nodes of another cluster and strangers are refused") {
  const auto hello = [](std::uint64_t from, const std::string& cluster,
                        const std::string& incarnation) {
    pb::PeerHello out;
    out.set_protocol(runtime::peer_protocol);
    out.set_from(from);
    out.set_to(1);
    out.set_partitions(4);
    out.set_cluster(cluster);
    out.set_incarnation(incarnation);
    return out;
  };
  const auto own = hello(1, "blue", "one");
  pb::MembershipRecord known;
  known.set_id("blue");
  auto& member = *known.add_members();
  member.set_node(2);
  member.set_incarnation("two");
  const auto check = [&](const pb::PeerHello& theirs) {
    return runtime::check_hello(theirs, own, node_id{2}, &known).has_value();
  };
  CHECK(check(hello(2, "blue", "two")));
  CHECK(check(hello(2, "", "two")));
  CHECK_FALSE(check(hello(2, "green", "two")));
  CHECK_FALSE(check(hello(2, "blue", "wiped")));
  CHECK_FALSE(check(hello(3, "blue", "two")));
  auto other = hello(2, "blue", "two");
  other.set_partitions(5);
  CHECK_FALSE(check(other));
  other = hello(2, "blue", "two");
  other.set_protocol(runtime::peer_protocol + 1);
  CHECK_FALSE(check(other));
  other = hello(2, "blue", "two");
  other.set_to(9);
  CHECK_FALSE(check(other));
}

TEST_CASE("cluster: without a majority nothing is acknowledged") {
  whole_cluster c;
  REQUIRE(c.publish(0, key_of(1), "before"));
  c.stop(1);
  c.stop(2);
  const auto refused = c.publish(0, key_of(1), "alone");
  CHECK_FALSE(refused);
  CHECK(c.content(0, key_of(1)) == "before");
  c.restart(1);
  whole_node::wait([&] {
    const auto done = c.publish(0, key_of(1), "again");
    return done && done->code == errc::ok;
  });
  CHECK(c.content(0, key_of(1)) == "again");
}

TEST_CASE("cluster: nothing acknowledged is lost while nodes come and go") {
  whole_cluster c;
  // Node 1 stays; its clients write all the time.
  std::map<std::size_t, std::vector<std::string>> allowed;
  std::atomic<std::size_t> acknowledged{0};
  const auto wait_for_more = [&] {
    whole_node::wait([&, before = acknowledged.load()] {
      return acknowledged > before + 5;
    });
  };
  // Joined, too, when a wait fails the test.
  std::jthread writer([&](const std::stop_token& stop) {
    caf::scoped_actor self{c.nodes[0]->node->system()};
    for (std::size_t n = 0; !stop.stop_requested(); ++n) {
      const auto value = std::to_string(n);
      const auto done = c.nodes[0]->publish(self, key_of(n % 20), value);
      auto& values = allowed[n % 20];
      if (done && done->code == errc::ok) {
        values = {value};
        ++acknowledged;
      } else if (!done && done.error().code != errc::unavailable
                 && done.error().code != errc::resource_exhausted) {
        values.push_back(value);
      }
    }
  });
  for (std::size_t round = 0; round < 4; ++round) {
    c.stop(1 + round % 2);
    wait_for_more();
    c.restart(1 + round % 2);
    wait_for_more();
  }
  writer.request_stop();
  writer.join();
  CHECK(acknowledged > 0);
  for (const auto& [n, values] : allowed)
    for (std::size_t at = 0; at < 3; ++at)
      whole_node::wait([&] {
        return values.empty()
               || std::ranges::find(values, c.content(at, key_of(n)))
                      != values.end();
      });
}

TEST_CASE("cluster: each actor of a member may die") {
  whole_cluster c;
  for (const auto* victim : {"gate", "replica", "log_writer", "state_worker"})
    for (std::size_t at = 0; at < 3; ++at) {
      for (const auto& [name, actor] : c.nodes[at]->node->actors())
        if (name == victim)
          caf::anon_send_exit(actor, caf::exit_reason::kill);
      const auto value = victim + std::to_string(at);
      for (std::size_t n = 0; n < 4; ++n) {
        whole_node::wait([&] {
          const auto done = c.publish(at, key_of(n), value);
          return done && done->code == errc::ok;
        });
        for (std::size_t other = 0; other < 3; ++other)
          whole_node::wait(
              [&] { return c.content(other, key_of(n)) == value; });
        CHECK(c.content(at, key_of(n)) == value);
      }
    }
}

TEST_CASE("cluster: a node stops while a peer takes a connection and is mute") {
  const auto mute = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REQUIRE(bind(mute, reinterpret_cast<sockaddr*>(&at), size) == 0);
  REQUIRE(listen(mute, 8) == 0);
  REQUIRE(getsockname(mute, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  runtime::cluster_options options;
  options.address = "127.0.0.1";
  options.self = on_loopback(1, test::free_ports<1>()[0]);
  options.peers = {on_loopback(2, ntohs(at.sin_port))};
  SUBCASE("plain") {}
  SUBCASE("with TLS") { options.tls = test::tls_papers().node(); }
  whole_node n(node_id{1}, options);
  n.begin();
  // The kernel has the connection; nobody will ever say anything on it.
  pollfd came{mute, POLLIN, 0};
  REQUIRE(poll(&came, 1, 5'000) == 1);
  const auto before = std::chrono::steady_clock::now();
  n.node.reset();
  CHECK(std::chrono::steady_clock::now() - before < 5s);
  close(mute);
}

TEST_CASE("cluster: a node may stop while it starts") {
  const auto ports = test::free_ports<2>();
  runtime::cluster_options options;
  options.address = "127.0.0.1";
  options.self = on_loopback(1, ports[0]);
  options.peers = {on_loopback(2, ports[1])};
  for (int n = 0; n < 50; ++n) {
    whole_node one(node_id{1}, options);
    one.begin();
    CHECK(one.node->state() == api::node_state::starting);
    one.node.reset();
  }
}
