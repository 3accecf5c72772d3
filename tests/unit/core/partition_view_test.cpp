// Whose tables readers get, and what their watchers were told meanwhile.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "actors/core/cluster/partition_view.hpp"
#include "actors/core/watch/feed_follower.hpp"

using namespace muster;

namespace {

constexpr milliseconds wait{10'000};

log_index at(std::uint64_t index) { return log_index{index}; }
steady_time ms(std::uint64_t t) { return steady_time{milliseconds{t}}; }

} // namespace

TEST_CASE("partition view: own tables are shown only if they are new enough") {
  cluster::partition_view v;
  CHECK_FALSE(v.is_here());
  CHECK(v.admit(at(5)));
  CHECK_FALSE(v.show(at(4)));
  CHECK_FALSE(v.is_here());
  CHECK(v.show(at(5)));
  CHECK(v.is_here());
  // Asked again, it is so.
  CHECK(v.show(at(5)));
  CHECK_FALSE(v.admit(at(7)));
  v.hide(at(6));
  CHECK_FALSE(v.is_here());
  CHECK(v.floor() == at(7));
  v.hide(at(9));
  CHECK(v.floor() == at(9));
  CHECK(v.admit(at(3)));
  CHECK(v.floor() == at(9));
}

/// Each round one thread gives out what another node had at 2, while the other
/// shows tables that have 1 only.
TEST_CASE("partition view: of two at once one notices") {
  constexpr std::uint64_t rounds = 20'000;
  std::atomic<std::uint64_t> turn{0};
  std::atomic<std::uint64_t> arrived{0};
  std::atomic<bool> shown{false};
  cluster::partition_view* now = nullptr;
  std::jthread other([&] {
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      while (turn.load() < round)
        std::this_thread::yield();
      shown = now->show(at(1));
      ++arrived;
    }
  });
  std::uint64_t both = 0;
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    cluster::partition_view v;
    now = &v;
    turn = round;
    const bool given = v.admit(at(2));
    while (arrived.load() < round)
      std::this_thread::yield();
    if (given && shown)
      ++both;
    CHECK_MESSAGE(v.is_here() == shown.load(), "round ", round);
  }
  CHECK(both == 0);
}

TEST_CASE("feed follower: watchers are told by one or the other, all of it") {
  watch::feed_follower f{wait};
  CHECK(f.wants_part());
  CHECK_FALSE(f.after());
  // Somebody may have watched before.
  auto order = f.take({}, at(10), false);
  CHECK(order.anew);
  CHECK(order.upto == at(10));
  order = f.take(at(10), at(14), false);
  CHECK_FALSE(order.anew);

  // The own tables tell from 20 on: the feed is needed up to there.
  CHECK_FALSE(f.shown(at(20), ms(0)));
  CHECK(f.is_here());
  CHECK(f.wants_part());
  CHECK(f.after() == at(14));
  order = f.take(at(14), at(25), false);
  CHECK(order.upto == at(20));
  CHECK_FALSE(f.wants_part());

  // Nobody told what the feed had behind 20; the own tables got to 23.
  f.hidden(at(23));
  CHECK_FALSE(f.is_here());
  CHECK(f.wants_part());
  CHECK(f.after() == at(23));
  CHECK(f.take(at(23), at(40), true).anew);
}

TEST_CASE("feed follower: own tables that go early leave a hole to be filled") {
  watch::feed_follower f{wait};
  CHECK(f.take({}, at(10), false).anew);
  CHECK_FALSE(f.shown(at(20), ms(0)));
  // Between 10 and 20 nobody told anything yet.
  f.hidden(at(30));
  CHECK(f.after() == at(10));
  CHECK(f.take(at(40), at(30), false).upto == at(30));
  f.hidden(at(50));
  CHECK(f.after() == at(30));
}

TEST_CASE("feed follower: an answer tells nothing from before its question") {
  watch::feed_follower f{wait};
  // Asked from where the feed is; the own tables come and go meanwhile.
  CHECK(f.shown(at(20), ms(0)));
  f.hidden(at(23));
  const auto order = f.take({}, at(30), false);
  CHECK(order.anew);
  CHECK(f.after() == at(30));

  // Nobody needs an answer that comes late.
  CHECK_FALSE(f.shown(at(30), ms(0)));
  CHECK_FALSE(f.take({}, at(40), true).anew);
  CHECK(f.after() == at(30));
}

TEST_CASE("feed follower: what nobody tells watchers find out themselves") {
  watch::feed_follower f{wait};
  // Nothing was ever told.
  CHECK(f.shown(at(20), ms(0)));
  CHECK_FALSE(f.wants_part());

  watch::feed_follower g{wait};
  CHECK(g.take({}, at(10), false).anew);
  CHECK_FALSE(g.shown(at(20), ms(100)));
  CHECK_FALSE(g.overdue(ms(10'099)));
  CHECK(g.overdue(ms(10'100)));
  CHECK_FALSE(g.wants_part());
  CHECK_FALSE(g.overdue(ms(99'000)));

  watch::feed_follower h{wait};
  // Since when they are shown a predecessor knew.
  CHECK(h.shown(at(0), ms(0)));
  CHECK(h.is_here());
  CHECK_FALSE(h.wants_part());
  h.hidden(at(30));
  CHECK(h.after() == at(30));
}
