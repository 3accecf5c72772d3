// Changes of a partition as other nodes follow them.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "actors/core/watch/change_feed.hpp"

using namespace muster;
using watch::change_feed;

namespace {

model::config_changed change(const std::string& id) {
  return {nullptr, {"public", "g", id}, true, false, false};
}

struct fed {
  change_feed feed;

  explicit fed(std::size_t most, std::uint64_t from = 10) : feed(most) {
    feed.begin(log_index{from});
  }
  void happens(std::uint64_t at, const std::string& id) {
    feed.add(log_index{at}, change(id));
    feed.reach(log_index{at});
  }
  /// "a@11 b@12 <12", or "gap".
  std::string since(std::uint64_t after, std::size_t most = 100) const {
    const auto found = feed.since(log_index{after}, most);
    if (!found)
      return "gap";
    std::string out;
    for (const auto& each : found->changes)
      out += each.key.data_id + "@" + std::to_string(each.at.value) + " ";
    return out + "<" + std::to_string(found->upto.value);
  }
};

} // namespace

TEST_CASE("change feed: what happened behind an index, once") {
  fed f(10);
  CHECK(f.since(10) == "<10");
  f.happens(11, "a");
  f.happens(13, "b");
  CHECK(f.since(10) == "a@11 b@13 <13");
  CHECK(f.since(11) == "b@13 <13");
  CHECK(f.since(12) == "b@13 <13");
  CHECK(f.since(13) == "<13");
  f.feed.reach(log_index{20});
  CHECK(f.since(13) == "<20");
}

TEST_CASE("change feed: one that asks from before its beginning has a gap") {
  fed f(10);
  CHECK(f.since(9) == "gap");
  f.happens(11, "a");
  f.feed.begin(log_index{30});
  CHECK(f.since(11) == "gap");
  CHECK(f.since(30) == "<30");
}

TEST_CASE("change feed: what is forgotten is a gap, the rest is not") {
  fed f(2);
  f.happens(11, "a");
  f.happens(12, "b");
  f.happens(13, "c");
  CHECK(f.since(10) == "gap");
  CHECK(f.since(11) == "b@12 c@13 <13");
}

TEST_CASE("change feed: a follower that is ahead stays where it is") {
  fed f(10);
  CHECK(f.since(15) == "<15");
}

TEST_CASE("change feed: a part ends between two indexes, never within one") {
  fed f(10);
  f.feed.add(log_index{11}, change("a"));
  f.feed.add(log_index{12}, change("b"));
  f.feed.add(log_index{12}, change("c"));
  f.feed.add(log_index{13}, change("d"));
  CHECK(f.since(10) == "<10"); // told of, and not yet applied as a whole
  f.feed.reach(log_index{14});
  CHECK(f.since(10, 2) == "a@11 b@12 c@12 <12");
  CHECK(f.since(12, 2) == "d@13 <14");
}

TEST_CASE("change feed: what came before its beginning is ignored") {
  fed f(10);
  f.happens(9, "old");
  f.happens(11, "a");
  CHECK(f.since(10) == "a@11 <11");
}
