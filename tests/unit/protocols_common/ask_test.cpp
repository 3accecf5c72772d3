#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/api/burst.hpp"
#include "protocols/common/ask.hpp"
#include "protocols/common/io_pool.hpp"
#include "tests/unit/http/fake_node.hpp"

using namespace muster;
using namespace muster::common;
using namespace std::chrono_literals;
using boost::asio::awaitable;

namespace {

using service = api::service_actor;
using group = api::config_group_actor;

/// What the fake service does with each message:
/// count -> rising numbers; retract -> an error of ours; change -> one of
/// CAF's; publish -> no answer, ever; beat -> ends without an answer.
struct service_state {
  std::vector<caf::typed_response_promise<api::done>> kept;
  std::size_t count = 0;
};

service::behavior_type
run_service(service::stateful_pointer<service_state> self) {
  return {
      [self](const api::publish_instances&) {
        self->state.kept.push_back(self->make_response_promise<api::done>());
        return self->state.kept.back();
      },
      [](const api::retract_instances&) -> caf::result<api::done> {
        return api::to_caf({errc::failed_precondition, "of the other kind"});
      },
      [self](const api::beat_instance&) -> caf::result<api::beat_answer> {
        self->quit(caf::exit_reason::kill);
        return caf::sec::request_receiver_down;
      },
      [](const api::change_service&) -> caf::result<model::outcome> {
        return caf::sec::runtime_error;
      },
      [](const api::watch_service&) -> naming::service_view_ptr {
        return std::make_shared<const naming::service_view>();
      },
      [](const api::unwatch_service&) { return api::done{}; },
      [self](const api::count_watchers&) { return self->state.count++; },
      [](const model::event&) {},
  };
}

struct group_state {
  std::vector<api::watcher> watchers;
};

/// An event of index n fires n changes, named "0"…; ends with its last watcher.
group::behavior_type run_group(group::stateful_pointer<group_state> self) {
  return {
      [self](const api::watch_configs& m) {
        self->state.watchers.push_back(m.who);
        return api::done{};
      },
      [self](const api::unwatch_configs& m) {
        std::erase_if(self->state.watchers, [&](const api::watcher& w) {
          return w.token == m.who.token;
        });
        if (self->state.watchers.empty())
          self->quit();
        return api::done{};
      },
      [self](const model::event& e) {
        for (std::uint64_t i = 0; i < e.index.value; ++i) {
          api::config_fired fired;
          for (const auto& w : self->state.watchers)
            fired.tokens.push_back(w.token);
          fired.change.key.data_id = std::to_string(i);
          caf::anon_send(self->state.watchers.front().target, std::move(fired));
        }
      },
  };
}

/// A message made by a function may stand in a co_await expression, a braced
/// one may not (see ask.hpp).
template <class Message>
Message blank() {
  return Message();
}

std::vector<std::string> some_names() {
  return {"x"};
}

model::event fire(std::uint64_t changes) {
  return {partition_id{1}, log_index{changes}, model::config_changed{}};
}

struct world {
  explicit world(gateway::settings s = {})
      : pool({1, s}, node.system(), node.time()) {
    pool.start();
  }
  ~world() {
    pool.stop();
    // Promises that are kept keep their actor.
    for (const auto& s : services)
      caf::anon_send_exit(s, caf::exit_reason::user_shutdown);
  }

  service a_service() {
    return services.emplace_back(node.system().spawn(run_service));
  }
  group a_group() { return node.system().spawn(run_group); }
  steady_time in(milliseconds d) { return node.time().steady() + d; }

  /// Runs a coroutine on the io thread and waits for what it returns.
  template <class F>
  auto run(F f) {
    return boost::asio::co_spawn(pool.io(0), std::move(f),
                                 boost::asio::use_future)
        .get();
  }

  test::fake_node node;
  io_pool pool;
  std::vector<service> services;
};

} // namespace

TEST_CASE("asks are answered in the order they were made") {
  world w;
  const auto to = w.a_service();
  const auto sum = w.run([to]() -> awaitable<std::size_t> {
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < 1000; ++i) {
      const auto r = co_await ask(to, api::count_watchers{});
      wrong += !r || *r != i;
    }
    co_return wrong + gateway::here().open_asks();
  });
  CHECK(sum == 0);
}

TEST_CASE("errors of the actor arrive as they were given") {
  world w;
  const auto to = w.a_service();
  w.run([to]() -> awaitable<void> {
    const auto ours = co_await ask(to, blank<api::retract_instances>());
    CHECK(ours.error()
          == error{errc::failed_precondition, "of the other kind"});
    const auto cafs = co_await ask(to, blank<api::change_service>());
    CHECK(cafs.error().code == errc::internal);
  });
}

TEST_CASE("asking nobody or the dead is unavailable, at once") {
  world w;
  auto to = w.a_service();
  const auto begin = std::chrono::steady_clock::now();
  w.run([to]() -> awaitable<void> {
    const auto dying = co_await ask(to, blank<api::beat_instance>());
    CHECK(dying.error().code == errc::unavailable);
    for (int i = 0; i < 10'000; ++i) {
      const auto dead = co_await ask(to, api::count_watchers{});
      if (dead || dead.error().code != errc::unavailable)
        FAIL("a dead actor answered");
    }
    const auto null = co_await ask(service{}, api::count_watchers{});
    CHECK(null.error().code == errc::unavailable);
  });
  CHECK(std::chrono::steady_clock::now() - begin < 4s);
}

TEST_CASE("no answer in time is deadline_exceeded, and its slot is free") {
  world w({.asks_max = 1, .sweep = 5ms, .default_timeout = 50ms});
  const auto to = w.a_service();
  w.run([&w, to]() -> awaitable<void> {
    api::publish_instances with_deadline;
    with_deadline.meta.deadline = w.in(20ms);
    const auto late = co_await ask(to, with_deadline);
    CHECK(late.error().code == errc::deadline_exceeded);
    const auto by_default = co_await ask(to, blank<api::publish_instances>());
    CHECK(by_default.error().code == errc::deadline_exceeded);
    CHECK(gateway::here().open_asks() == 0);
    const auto next = co_await ask(to, api::count_watchers{});
    CHECK(next.value() == 0);
  });
}

TEST_CASE("asks beyond the bound are resource_exhausted") {
  world w({.asks_max = 2, .default_timeout = 100ms});
  const auto to = w.a_service();
  w.run([to]() -> awaitable<void> {
    const auto io = co_await boost::asio::this_coro::executor;
    for (int i = 0; i < 2; ++i)
      boost::asio::co_spawn(
          io,
          [to]() -> awaitable<void> {
            co_await ask(to, blank<api::publish_instances>());
          },
          boost::asio::detached);
    CHECK(gateway::here().open_asks() == 2);
    const auto r = co_await ask(to, api::count_watchers{});
    CHECK(r.error().code == errc::resource_exhausted);
  });
}

TEST_CASE("stopping fails what is open as unavailable") {
  world w;
  const auto to = w.a_service();
  std::promise<error> failed;
  w.pool.spawn([&failed, to]() -> awaitable<void> {
    const auto r = co_await ask(to, blank<api::publish_instances>());
    const auto again = co_await ask(to, api::count_watchers{});
    failed.set_value(again ? error{} : r.error());
  });
  w.run([]() -> awaitable<void> { co_return; }); // the ask is on its way
  w.pool.stop();
  CHECK(failed.get_future().get().code == errc::unavailable);
}

TEST_CASE("an exception in a spawned coroutine ends nothing else") {
  world w;
  w.pool.spawn([]() -> awaitable<void> {
    throw std::runtime_error("a bug");
    co_return;
  });
  CHECK(w.run([]() -> awaitable<int> { co_return 7; }) == 7);
  CHECK(w.pool.exceptions() == 1);
}

TEST_CASE("a burst of notifications arrives in order, bounded") {
  world w;
  const auto from = w.a_group();
  w.run([&w, from]() -> awaitable<void> {
    auto inbox = gateway::here().open_inbox();
    const auto watching = co_await inbox->watch(from, some_names());
    CHECK(watching.has_value());
    caf::anon_send(from, fire(100));
    std::vector<std::string> names;
    while (names.size() < 100) {
      co_await inbox->wait(w.in(5s));
      const auto fired = inbox->take_configs();
      REQUIRE_FALSE(fired.empty());
      for (const auto& f : fired)
        names.push_back(f->change.key.data_id);
    }
    for (std::size_t i = 0; i < names.size(); ++i)
      CHECK(names[i] == std::to_string(i));
    CHECK_FALSE(inbox->take_overflow());
    // More than the inbox holds, while nobody takes any.
    caf::anon_send(from, fire(2 * gateway::inbox::capacity));
    std::size_t kept = 0;
    for (bool over = false; !over; over = inbox->take_overflow()) {
      co_await inbox->wait(w.in(5s));
      co_await ask(from, blank<api::watch_configs>()); // behind the burst
      kept = inbox->take_configs().size();
    }
    CHECK(kept == gateway::inbox::capacity);
  });
}

TEST_CASE("an inbox that goes undoes its watches") {
  world w;
  const auto from = w.a_group();
  w.run([&w, from]() -> awaitable<void> {
    auto other = gateway::here().open_inbox();
    {
      auto inbox = gateway::here().open_inbox();
      const auto watching = co_await inbox->watch(from, some_names());
      CHECK(watching.has_value());
      CHECK(gateway::here().open_inboxes() == 2);
    }
    CHECK(gateway::here().open_inboxes() == 1);
    // The group ends with its last watcher: so it was told.
    for (result<api::done> r = api::done{}; r;)
      r = co_await ask(from, blank<api::unwatch_configs>());
  });
}

TEST_CASE("the death of a watched actor wakes the inbox") {
  world w;
  const auto to = w.a_service();
  w.run([&w, to]() -> awaitable<void> {
    auto inbox = gateway::here().open_inbox();
    const auto view = co_await inbox->watch(to);
    CHECK(view.value() != nullptr);
    CHECK_FALSE(inbox->take_lost());
    caf::anon_send(to, blank<api::beat_instance>());
    co_await inbox->wait(w.in(5s));
    CHECK(inbox->take_lost());
    CHECK_FALSE(inbox->take_lost());
    // Watching the dead says so as well.
    auto late = gateway::here().open_inbox();
    const auto none = co_await late->watch(to);
    CHECK(none.error().code == errc::unavailable);
    co_await late->wait(w.in(5s));
    CHECK(late->take_lost());
  });
}

TEST_CASE("a wait ends at its time or when woken") {
  world w;
  w.run([&w]() -> awaitable<void> {
    auto inbox = gateway::here().open_inbox();
    const auto begin = w.in(0ms);
    co_await inbox->wait(w.in(30ms));
    CHECK(w.in(0ms) - begin >= 30ms);
    inbox->wake();
    co_await inbox->wait(w.in(10s));
    CHECK(w.in(0ms) - begin < 5s);
  });
}

TEST_CASE("what comes in a burst wakes its receivers once, at the end") {
  struct counter : api::sleeper {
    void wake() override { ++woken; }
    int woken = 0;
  };
  const auto a = std::make_shared<counter>();
  const auto b = std::make_shared<counter>();
  CHECK_FALSE(api::burst::hold(a));
  {
    const api::burst together;
    CHECK(api::burst::hold(a));
    CHECK(api::burst::hold(b));
    CHECK(a->woken + b->woken == 0);
  }
  CHECK(a->woken == 1);
  CHECK(b->woken == 1);
  CHECK_FALSE(api::burst::hold(a));
}

TEST_CASE("answers given in one burst arrive, and only after its end") {
  world w;
  const auto inbox = w.run([]() -> awaitable<gateway::inbox*> {
    co_return gateway::here().open_inbox().release();
  });
  const auto target = w.pool.gate(0).handle();
  {
    const api::burst together;
    for (std::uint64_t i = 0; i < 3; ++i)
      caf::anon_send(target, api::config_fired{{inbox->token()}, {}});
    CHECK(w.run([inbox]() -> awaitable<std::size_t> {
      co_return inbox->take_configs().size();
    }) == 0);
  }
  CHECK(w.run([inbox]() -> awaitable<std::size_t> {
    co_await inbox->wait(gateway::here().time().steady() + 10s);
    const auto count = inbox->take_configs().size();
    delete inbox;
    co_return count;
  }) == 3);
}
