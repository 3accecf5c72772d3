#include <doctest/doctest.h>

#include <cstddef>
#include <string>

#include "storage/rocksdb/codec.hpp"
#include "storage/rocksdb/row_cache.hpp"

/// The last rows a writer had to do with: what is in there is what was put
/// last, and there is never more than was allowed.
namespace muster::storage {
namespace {

constexpr partition_id group{3};
constexpr partition_id other{19};

std::string key_of(partition_id of, int number) {
  std::string key;
  codec::state_key(key, of, table_id::config, std::to_string(number));
  return key;
}

std::size_t found(row_cache& cache, partition_id in, int upto) {
  std::size_t n = 0;
  for (int i = 0; i < upto; ++i)
    n += cache.find(key_of(in, i)) ? 1 : 0;
  return n;
}

} // namespace

TEST_CASE("row cache: the last value counts") {
  row_cache cache(1 << 20);
  const auto key = key_of(group, 1);
  CHECK(!cache.find(key));
  cache.put(key, "a");
  cache.put(key, "bcd");
  CHECK(cache.find(key) == "bcd");
  cache.erase(key);
  CHECK(!cache.find(key));
  cache.erase(key);
}

TEST_CASE("row cache: a group is forgotten, its neighbour is not") {
  row_cache cache(1 << 20);
  for (int i = 0; i < 10; ++i) {
    cache.put(key_of(group, i), "x");
    cache.put(key_of(other, i), "y");
  }
  cache.clear(group);
  CHECK(found(cache, group, 10) == 0);
  CHECK(found(cache, other, 10) == 10);
}

TEST_CASE("row cache: bounded in bytes, whatever is put") {
  // Sixteen parts with room for eight such rows each.
  constexpr std::size_t room = 16 * 10'000;
  row_cache cache(room);
  const std::string value(1'000, 'v');
  for (int i = 0; i < 1'000; ++i)
    cache.put(key_of(group, i), value);
  CHECK(found(cache, group, 1'000) >= 16 * 7);
  CHECK(found(cache, group, 1'000) <= 16 * 9);
  SUBCASE("a row without room is not kept") {
    cache.put(key_of(group, 1'001), std::string(20'000, 'v'));
    CHECK(!cache.find(key_of(group, 1'001)));
    CHECK(found(cache, group, 1'000) >= 16 * 7);
  }
  SUBCASE("nor one that grows beyond it") {
    row_cache fresh(room);
    fresh.put(key_of(group, 1), "small");
    fresh.put(key_of(group, 1), std::string(20'000, 'v'));
    CHECK(!fresh.find(key_of(group, 1)));
    fresh.put(key_of(group, 2), value);
    CHECK(fresh.find(key_of(group, 2)) == value);
  }
}

} // namespace muster::storage
