// The write path on real threads: acknowledged means applied and readable, and
// no actor's death loses an acknowledged write or stops the service.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "tests/unit/runtime/whole_node.hpp"

using namespace muster;
using namespace std::chrono_literals;

namespace {

using fixture = test::whole_node;

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
