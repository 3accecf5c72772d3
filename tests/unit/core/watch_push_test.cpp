// The push queue of one stream: repeats, coalescing, limits, hold-back.
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "actors/core/watch/push_core.hpp"

using namespace muster;
using namespace muster::watch;

namespace {

steady_time at(std::int64_t ms) {
  return steady_time{milliseconds{ms}};
}

push_core open_core(push_core::limits bounds = {}) {
  return push_core(std::move(bounds), at(0));
}

/// Lets time run to `until_ms` and notes when something is sent, given up or
/// the stream ended. `on_send` may answer.
struct run {
  std::vector<std::int64_t> sent;
  std::int64_t disconnected = -1;

  template <class F>
  void take(push_core& core, const push_core::output& out, std::int64_t now,
            F&& on_send) {
    if (!out.disconnect.empty() && disconnected < 0)
      disconnected = now;
    for (const auto& s : out.sends) {
      sent.push_back(now);
      on_send(core, s.request_id, now);
    }
  }

  template <class F>
  void to(push_core& core, std::int64_t until_ms, F&& on_send) {
    while (core.next_due() && *core.next_due() <= at(until_ms)) {
      const auto now = core.next_due()->time_since_epoch().count();
      take(core, core.tick(at(now)), now, on_send);
    }
  }
};

const auto never = [](push_core&, std::uint64_t, std::int64_t) {};

} // namespace

TEST_CASE("push: nobody answers, each kind repeats in its own rhythm") {
  struct row {
    const char* name;
    push_kind kind;
    std::int64_t until_ms;
    std::vector<std::int64_t> sent;
    std::int64_t disconnected;
  };
  const std::vector<row> rows{
      {"config",
       push_kind::config,
       45'000,
       {0, 5'000, 12'000, 21'000, 32'000, 45'000},
       -1},
      {"name", push_kind::name, 12'000, {0, 5'000, 12'000}, -1},
      {"service",
       push_kind::service,
       36'000,
       {0, 6'000, 12'000, 18'000, 24'000, 30'000, 36'000},
       -1},
      {"probe", push_kind::probe, 60'000, {0}, 5'000},
      {"reset", push_kind::reset, 60'000, {0}, -1},
  };
  for (const auto& r : rows) {
    CAPTURE(r.name);
    auto core = open_core();
    run seen;
    seen.take(core, core.enqueue("k", r.kind, at(0)), 0, never);
    seen.to(core, r.until_ms, never);
    CHECK(seen.sent == r.sent);
    CHECK(seen.disconnected == r.disconnected);
  }
}

TEST_CASE("push: refused, config again after 2 s x tries, service after 1 s") {
  const auto refuse = [](push_core& core, std::uint64_t id, std::int64_t now) {
    CHECK(core.answered(id, false, at(now)).sends.empty());
  };
  for (const auto& [kind, sent] :
       {std::pair{push_kind::config,
                  std::vector<std::int64_t>{0, 2'000, 6'000}},
        std::pair{push_kind::service,
                  std::vector<std::int64_t>{0, 1'000, 2'000, 3'000, 4'000,
                                            5'000, 6'000}}}) {
    auto core = open_core();
    run seen;
    seen.take(core, core.enqueue("k", kind, at(0)), 0, refuse);
    seen.to(core, 6'000, refuse);
    CHECK(seen.sent == sent);
  }
}

TEST_CASE("push: a config is tried 50 times, then the stream ends") {
  auto core = open_core();
  run seen;
  seen.take(core, core.enqueue("k", push_kind::config, at(0)), 0, never);
  seen.to(core, 10'000'000, never);
  CHECK(seen.sent.size() == 50);
  // 50 times 3 s for the answer and 2 s x (1 + … + 49) between the tries.
  CHECK(seen.disconnected == 50 * 3'000 + 2'000 * (49 * 50 / 2));
  CHECK(core.size() == 0);
}

TEST_CASE("push: a good answer ends it, a late one too") {
  auto core = open_core();
  auto out = core.enqueue("k", push_kind::config, at(0));
  REQUIRE(out.sends.size() == 1);
  CHECK(core.answered(99, true, at(1)).done.empty());
  SUBCASE("in time") {
    CHECK(core.answered(out.sends[0].request_id, true, at(10)).done
          == std::vector<std::string>{"k"});
  }
  SUBCASE("while the next try waits") {
    CHECK(core.tick(at(3'000)).sends.empty());
    CHECK(core.answered(out.sends[0].request_id, true, at(3'500)).done
          == std::vector<std::string>{"k"});
  }
  CHECK(core.size() == 0);
  CHECK_FALSE(core.next_due().has_value());
}

TEST_CASE("push: a bad answer after the time-out does not delay the next try") {
  auto core = open_core();
  const auto out = core.enqueue("k", push_kind::config, at(0));
  core.tick(at(3'000));
  core.answered(out.sends.at(0).request_id, false, at(4'900));
  CHECK(core.next_due() == at(5'000));
}

TEST_CASE("push: a change during an unanswered push starts the next at once") {
  auto core = open_core();
  const auto first = core.enqueue("k", push_kind::service, at(0)).sends.at(0);
  const auto second =
      core.enqueue("k", push_kind::service, at(1'000)).sends.at(0);
  CHECK(second.request_id > first.request_id);
  CHECK(core.size() == 1);
  // The older push's answer says nothing about the newer state.
  CHECK(core.answered(first.request_id, true, at(1'100)).done.empty());
  CHECK(core.next_due() == at(6'000));
  CHECK(core.answered(second.request_id, true, at(1'200)).done.size() == 1);
}

TEST_CASE("push: a change while a retry waits begins a new count of tries") {
  push_core::limits bounds;
  bounds.policies[0].tries_max = 2;
  auto core = open_core(bounds);
  core.enqueue("k", push_kind::config, at(0));
  core.tick(at(3'000));
  CHECK(core.enqueue("k", push_kind::config, at(4'000)).sends.size() == 1);
  core.tick(at(7'000));
  CHECK(core.tick(at(9'000)).sends.size() == 1);
  CHECK_FALSE(core.tick(at(12'000)).disconnect.empty());
}

TEST_CASE("push: held back until open, once per key, in order") {
  push_core core({}, at(100));
  CHECK(core.enqueue("a", push_kind::config, at(1)).sends.empty());
  CHECK(core.enqueue("b", push_kind::service, at(2)).sends.empty());
  CHECK(core.enqueue("a", push_kind::config, at(3)).sends.empty());
  core.enqueue("gone", push_kind::config, at(4));
  core.forget("gone");
  CHECK(core.next_due() == at(100));
  push_core::output out;
  SUBCASE("time passes") {
    out = core.tick(at(100));
  }
  SUBCASE("the client's first call") {
    out = core.open(at(50));
  }
  SUBCASE("the next change finds it open") {
    out = core.enqueue("b", push_kind::service, at(120));
  }
  REQUIRE(out.sends.size() == 2);
  CHECK(out.sends[0].key == "a");
  CHECK(out.sends[1].key == "b");
  CHECK(core.enqueue("c", push_kind::config, at(130)).sends.size() == 1);
}

TEST_CASE("push: one key too many ends the stream") {
  push_core::limits bounds;
  bounds.keys_max = 2;
  auto core = open_core(bounds);
  core.enqueue("a", push_kind::config, at(0));
  core.enqueue("b", push_kind::config, at(0));
  CHECK(core.enqueue("a", push_kind::config, at(0)).disconnect.empty());
  const auto out = core.enqueue("c", push_kind::config, at(0));
  CHECK(out.sends.empty());
  CHECK_FALSE(out.disconnect.empty());
}

TEST_CASE("push: forgotten and closed keys are not pushed again") {
  auto core = open_core();
  core.enqueue("a", push_kind::service, at(0));
  core.enqueue("b", push_kind::service, at(0));
  core.forget("a");
  core.forget("unknown");
  CHECK(core.tick(at(5'000)).sends.empty());
  const auto retried = core.tick(at(6'000)).sends;
  REQUIRE(retried.size() == 1);
  CHECK(retried[0].key == "b");
  CHECK(core.closed().given_up == std::vector<std::string>{"b"});
  CHECK(core.tick(at(60'000)).sends.empty());
  CHECK(core.enqueue("c", push_kind::config, at(60'000)).sends.empty());
  CHECK_FALSE(core.next_due().has_value());
}

TEST_CASE("push: a policy without patience still comes to an end") {
  push_core::limits bounds;
  bounds.policies[1].answer_timeout = milliseconds{0};
  bounds.policies[1].retry_delay = milliseconds{0};
  auto core = open_core(bounds);
  core.enqueue("k", push_kind::service, at(0));
  CHECK(core.tick(at(1)).sends.size() == 1);
}

TEST_CASE("push: under random traffic the client learns each last state") {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&random](unsigned n) { return random() % n; };
    auto core = push_core({}, at(50));
    std::map<std::string, int> server;
    std::map<std::string, int> client;
    std::vector<std::pair<std::uint64_t, std::string>> open;
    std::uint64_t last_id = 0;
    std::int64_t now = 0;
    const auto take = [&](const push_core::output& out) {
      REQUIRE(out.disconnect.empty());
      for (const auto& s : out.sends) {
        REQUIRE(s.request_id > last_id);
        last_id = s.request_id;
        if (below(10) == 0)
          continue; // lost
        client[s.key] = server[s.key];
        open.emplace_back(s.request_id, s.key);
      }
    };
    for (int i = 0; i < 400; ++i) {
      now += below(400);
      const auto key = "k" + std::to_string(below(5));
      if (below(3) == 0) {
        ++server[key];
        take(core.enqueue(
            key, key < "k2" ? push_kind::config : push_kind::service, at(now)));
      } else if (below(2) == 0 && !open.empty()) {
        take(core.answered(open.back().first, below(8) != 0, at(now)));
        open.pop_back();
      } else {
        take(core.tick(at(now)));
      }
    }
    // Quiet now, and the client answers: all ends, with equal states.
    for (int i = 0; i < 1'000 && core.size() > 0; ++i) {
      REQUIRE(core.next_due().has_value());
      now = std::max(now, core.next_due()->time_since_epoch().count());
      take(core.tick(at(now)));
      for (const auto& [id, key] : std::exchange(open, {}))
        take(core.answered(id, true, at(now)));
    }
    CHECK(core.size() == 0);
    CHECK(client == server);
  }
}
