#include <string>
#include <vector>

#include "tests/support/group_batch.hpp"
#include "tests/contract/backends.hpp"

/// Every sentence of `raft::state_store` and state_view.hpp.
namespace muster::test {
namespace {

const partition_id group{3};
constexpr auto config = table_id::config;
constexpr auto gray = table_id::gray;

raft::log_position at(std::uint64_t index, std::uint64_t term = 1) {
  return {term_id{term}, log_index{index}};
}

/// "key=value …" of a table from `from` on.
std::string dump(const state_reader& reader, table_id table,
                 std::string_view from = {}) {
  std::string text;
  reader.scan(table, from, [&](std::string_view key, std::string_view value) {
    text.append(key).append("=").append(value).append(" ");
    return true;
  });
  return text;
}

std::string dump(raft::state_store& tables, partition_id of = group) {
  std::string text;
  const auto done = export_rows(
    tables, of, [&](table_id table, std::string_view key, std::string_view value) {
      text += std::to_string(static_cast<int>(table)) + "/";
      text.append(key).append("=").append(value).append(" ");
      return true;
    });
  REQUIRE(done.has_value());
  return text;
}

void put(raft::state_store& tables, std::uint64_t index,
         const std::vector<std::pair<std::string, std::string>>& rows,
         partition_id to = group) {
  const auto batch = test::begin(tables, to);
  for (const auto& [key, value] : rows)
    batch->put(config, key, value);
  REQUIRE(batch->commit(at(index)).has_value());
}

} // namespace

TEST_CASE_TEMPLATE("state: a group never written is empty", B,
                   FOR_ALL_BACKENDS) {
  B b;
  CHECK(b.tables().applied(group).value() == raft::log_position{});
  CHECK(!b.tables().reader(group)->get(config, "a"));
  CHECK(dump(*b.tables().reader(group), config) == "");
  CHECK(dump(b.tables()) == "");
}

TEST_CASE_TEMPLATE("state: a commit shows all changes and the position", B,
                   FOR_ALL_BACKENDS) {
  B b;
  const auto batch = test::begin(b.tables(), group);
  batch->put(config, "a", "1");
  batch->put(gray, "a", "2");
  batch->put(config, std::string("\0\xff", 2), "");
  CHECK(dump(*b.tables().reader(group), config) == "");
  CHECK(b.tables().applied(group).value() == raft::log_position{});
  REQUIRE(batch->commit(at(5, 2)).has_value());
  REQUIRE(b.tables().flush().has_value());
  for (int round = 0; round < 2; ++round) {
    // In a scope: a reader may not outlive its store.
    {
      const auto reader = b.tables().reader(group);
      CHECK(reader->get(config, "a") == "1");
      CHECK(reader->get(gray, "a") == "2");
      CHECK(reader->get(config, std::string("\0\xff", 2)) == "");
      CHECK(!reader->get(config, "b"));
    }
    CHECK(!b.tables().reader(partition_id{2})->get(config, "a"));
    CHECK(b.tables().applied(group).value() == at(5, 2));
    CHECK(b.tables().applied(partition_id{2}).value() == raft::log_position{});
    b.reopen();
  }
}

TEST_CASE_TEMPLATE("state: a batch sees its own writes over the tables", B,
                   FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 1, {{"a", "1"}, {"c", "3"}, {"e", "5"}});
  const auto batch = test::begin(b.tables(), group);
  batch->put(config, "b", "2");
  batch->put(config, "c", "30");
  batch->put(config, "c", "33");
  batch->erase(config, "a");
  batch->put(config, "f", "6");
  batch->erase(config, "f");
  batch->put(gray, "z", "other table");
  CHECK(batch->get(config, "b") == "2");
  CHECK(batch->get(config, "c") == "33");
  CHECK(batch->get(config, "e") == "5");
  CHECK(!batch->get(config, "a"));
  CHECK(!batch->get(config, "f"));
  CHECK(dump(*batch, config) == "b=2 c=33 e=5 ");
  CHECK(dump(*batch, config, "c") == "c=33 e=5 ");
  CHECK(dump(*batch, config, "cc") == "e=5 ");
  CHECK(dump(*b.tables().reader(group), config) == "a=1 c=3 e=5 ");
  REQUIRE(batch->commit(at(2)).has_value());
  CHECK(dump(*b.tables().reader(group), config) == "b=2 c=33 e=5 ");
  // A committed batch starts over.
  batch->put(config, "d", "4");
  CHECK(dump(*batch, config) == "b=2 c=33 d=4 e=5 ");
  REQUIRE(batch->commit(at(3)).has_value());
  CHECK(b.tables().applied(group).value() == at(3));
}

TEST_CASE_TEMPLATE("state: a batch dropped leaves no trace", B,
                   FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 1, {{"a", "1"}});
  test::begin(b.tables(), group)->put(config, "a", "2");
  CHECK(b.tables().reader(group)->get(config, "a") == "1");
  CHECK(b.tables().applied(group).value() == at(1));
}

TEST_CASE_TEMPLATE("state: a scan may write to the batch it walks", B,
                   FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 1, {{"a", "1"}, {"b", "2"}, {"c", "3"}});
  const auto batch = test::begin(b.tables(), group);
  batch->put(config, "d", "4");
  std::string seen;
  batch->scan(config, "", [&](std::string_view key, std::string_view) {
    batch->erase(config, key);
    batch->put(gray, std::string(key) + std::string(1000, 'x'), "moved");
    seen += key;
    return true;
  });
  CHECK(seen == "abcd");
  CHECK(dump(*batch, config) == "");
}

TEST_CASE_TEMPLATE("state: a batch takes several groups along", B,
                   FOR_ALL_BACKENDS) {
  B b;
  const partition_id other{4};
  put(b.tables(), 1, {{"a", "1"}, {"c", "3"}});
  put(b.tables(), 1, {{"a", "other"}}, other);
  for (int round = 0; round < 2; ++round) {
    const auto value = std::to_string(round);
    auto batch = b.tables().begin();
    batch->of(group).put(config, "a", value);
    batch->of(other).erase(config, "a");
    batch->of(other).put(config, "b", value);
    CHECK(batch->of(group).get(config, "a") == value);
    CHECK(!batch->of(group).get(config, "b"));
    CHECK(!batch->of(other).get(config, "a"));
    batch->set_applied(group, at(7));
    REQUIRE(batch->commit().has_value());
    CHECK(dump(*b.tables().reader(group), config) == "a=" + value + " c=3 ");
    CHECK(dump(*b.tables().reader(other), config) == "b=" + value + " ");
    CHECK(b.tables().applied(group).value() == at(7));
    CHECK(b.tables().applied(other).value() == at(1));
    // Rows that were read or written before are read as they are now.
    CHECK(batch->of(group).get(config, "a") == value);
    CHECK(!batch->of(other).get(config, "a"));
    CHECK(batch->of(other).get(config, "b") == value);
    batch.reset(); // it may not outlive its store
    b.reopen();
  }
}

TEST_CASE_TEMPLATE("state: a reader keeps its moment", B, FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 1, {{"a", "1"}});
  const auto before = b.tables().reader(group);
  put(b.tables(), 2, {{"a", "2"}, {"b", "2"}});
  CHECK(before->get(config, "a") == "1");
  CHECK(dump(*before, config) == "a=1 ");
  CHECK(dump(*b.tables().reader(group), config) == "a=2 b=2 ");
}

TEST_CASE_TEMPLATE("state: scans are in unsigned byte order within the table",
                   B, FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 1,
      {{"\x7f", "3"}, {"\x80", "4"}, {"\xff\xff\xff", "5"}, {"", "1"},
       {"a", "2"}});
  put(b.tables(), 1, {{"x", "other group"}}, partition_id{4});
  const auto batch = test::begin(b.tables(), group);
  batch->put(table_id::dedupe, "k", "v");
  batch->put(gray, "g", "v");
  REQUIRE(batch->commit(at(2)).has_value());
  const auto reader = b.tables().reader(group);
  std::string order;
  reader->scan(config, "", [&](std::string_view, std::string_view value) {
    order += value;
    return true;
  });
  CHECK(order == "12345");
  std::string first_two;
  reader->scan(config, "a", [&](std::string_view, std::string_view value) {
    first_two += value;
    return first_two.size() < 2;
  });
  CHECK(first_two == "23");
  CHECK(dump(*reader, gray, "h") == "");
}

TEST_CASE_TEMPLATE("state: scan_prefix gives the keys that begin with it", B,
                   FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 1, {{"a", ""}, {"ab", ""}, {"abc", ""}, {"b", ""}});
  std::string seen;
  scan_prefix(*b.tables().reader(group), config, "ab",
              [&](std::string_view key, std::string_view) {
                seen.append(key).append(" ");
                return true;
              });
  CHECK(seen == "ab abc ");
}

TEST_CASE_TEMPLATE("state: an export is ordered, complete and of one moment", B,
                   FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 1, {{"b", "2"}, {"a", "1"}});
  put(b.tables(), 1, {{"x", "other"}}, partition_id{2});
  put(b.tables(), 1, {{"x", "other"}}, partition_id{4});
  const auto batch = test::begin(b.tables(), group);
  batch->put(gray, "0", "3");
  REQUIRE(batch->commit(at(2)).has_value());
  CHECK(dump(b.tables()) == "1/a=1 1/b=2 2/0=3 ");
  const auto exporter = b.tables().export_group(group);
  REQUIRE(exporter.has_value());
  CHECK((*exporter)->position() == at(2));
  std::string seen;
  REQUIRE((*exporter)->read({}, [&](table_id, std::string_view key, auto) {
    put(b.tables(), 3, {{"b", "changed"}, {"zz", "new"}});
    seen += key;
    return seen.size() < 2;
  }));
  CHECK(seen == "ab");
  CHECK((*exporter)->position() == at(2));
}

TEST_CASE_TEMPLATE("state: an export goes on behind any place, and repeats it",
                   B, FOR_ALL_BACKENDS) {
  B b;
  const auto batch = test::begin(b.tables(), group);
  batch->put(config, "", "1");
  batch->put(config, "a", "2");
  batch->put(config, "ab", "3");
  batch->put(gray, "", "4");
  batch->put(gray, "\xff", "5");
  REQUIRE(batch->commit(at(2, 7)).has_value());
  put(b.tables(), 1, {{"x", "other"}}, partition_id{4});
  const auto exporter = b.tables().export_group(group);
  REQUIRE(exporter.has_value());
  put(b.tables(), 3, {{"aa", "later"}});
  using place = raft::state_store::place;
  const std::vector<std::pair<place, std::string>> expected{
      {place{}, "12345"},       {{config, ""}, "2345"},
      {{config, "a"}, "345"},   {{config, "aa"}, "345"},
      {{config, "zz"}, "45"},   {{gray, ""}, "5"},
      {{gray, "\xff"}, ""},     {place{}, "12345"},
  };
  for (const auto& [after, rest] : expected) {
    CAPTURE(after.key);
    std::string seen;
    REQUIRE((*exporter)->read(after, [&](auto, auto, std::string_view value) {
      seen += value;
      return true;
    }));
    CHECK(seen == rest);
  }
}

TEST_CASE_TEMPLATE("state: an export without rows has a position", B,
                   FOR_ALL_BACKENDS) {
  B b;
  const auto never = b.tables().export_group(group);
  REQUIRE(never.has_value());
  CHECK((*never)->position() == raft::log_position{});
  put(b.tables(), 6, {});
  const auto empty = b.tables().export_group(group);
  REQUIRE(empty.has_value());
  CHECK((*empty)->position() == at(6));
  CHECK((*empty)->read({}, [](auto, auto, auto) { return false; }));
}

TEST_CASE_TEMPLATE("state: an import replaces all rows and the position", B,
                   FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 9, {{"a", "old"}, {"z", "old"}});
  put(b.tables(), 9, {{"a", "other"}}, partition_id{4});
  const raft::snapshot_meta meta{
      at(20, 3), {{node_id{1}, node_id{2}}, {node_id{1}}, {node_id{3}}}};
  {
    const auto importer = b.tables().import_group(group);
    REQUIRE(importer->add(config, "a", "new").has_value());
    REQUIRE(importer->add(config, "b", "new").has_value());
    REQUIRE(importer->add(gray, "a", "new").has_value());
    CHECK(dump(b.tables()) == "1/a=old 1/z=old ");
    CHECK(b.tables().imported(group).value() == raft::snapshot_meta{});
    REQUIRE(importer->finish(meta).has_value());
  }
  for (int round = 0; round < 2; ++round) {
    CHECK(dump(b.tables()) == "1/a=new 1/b=new 2/a=new ");
    CHECK(b.tables().applied(group).value() == at(20, 3));
    CHECK(b.tables().imported(group).value() == meta);
    CHECK(b.tables().imported(partition_id{4}).value()
          == raft::snapshot_meta{});
    CHECK(dump(b.tables(), partition_id{4}) == "1/a=other ");
    CHECK(b.tables().applied(partition_id{4}).value() == at(9));
    CHECK(b.tables().begin()->of(group).get(config, "a") == "new");
    CHECK(!b.tables().begin()->of(group).get(config, "z"));
    b.reopen();
  }
  put(b.tables(), 21, {{"b", "newer"}});
  CHECK(dump(b.tables()) == "1/a=new 1/b=newer 2/a=new ");
  CHECK(b.tables().imported(group).value() == meta);
}

TEST_CASE_TEMPLATE("state: an import without rows empties the group", B,
                   FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 9, {{"a", "old"}});
  REQUIRE(b.tables().import_group(group)->finish({at(20), {}}).has_value());
  CHECK(dump(b.tables()) == "");
  CHECK(b.tables().applied(group).value() == at(20));
}

TEST_CASE_TEMPLATE("state: an import that is not finished changes nothing", B,
                   FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 9, {{"a", "old"}});
  REQUIRE(b.tables().import_group(group)->add(config, "a", "new").has_value());
  const auto interrupted = b.tables().import_group(group);
  REQUIRE(interrupted->add(config, "b", "new").has_value());
  const auto again = interrupted->add(config, "a", "new");
  REQUIRE_MESSAGE(!again.has_value(), "rows come in key order");
  CHECK(again.error().code == errc::invalid_argument);
  CHECK(dump(b.tables()) == "1/a=old ");
  CHECK(b.tables().applied(group).value() == at(9));
}

TEST_CASE_TEMPLATE("state: a group that is dropped is as if never written", B,
                   FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 5, {{"a", "1"}, {"b", "2"}});
  put(b.tables(), 6, {{"a", "other"}}, partition_id{4});
  {
    const auto import = b.tables().import_group(group);
    REQUIRE(import->add(config, "a", "3").has_value());
    REQUIRE(import->finish({at(7), {}}).has_value());
  }
  put(b.tables(), 8, {{"c", "4"}});
  {
    const auto before = b.tables().reader(group);
    REQUIRE(b.tables().drop_group(group).has_value());
    CHECK_MESSAGE(before->get(config, "a") == "3", "a reader keeps its moment");
  }
  REQUIRE(b.tables().flush().has_value());
  for (int round = 0; round < 2; ++round) {
    CHECK(dump(b.tables()) == "");
    CHECK(b.tables().applied(group).value() == raft::log_position{});
    CHECK(b.tables().imported(group).value() == raft::snapshot_meta{});
    CHECK(dump(b.tables(), partition_id{4}) == "1/a=other ");
    b.reopen();
  }
  REQUIRE_MESSAGE(b.tables().drop_group(group).has_value(), "done again");
  // A batch finds nothing of old times, not even in a cache.
  const auto batch = test::begin(b.tables(), group);
  CHECK(!batch->get(config, "a"));
  batch->put(config, "d", "5");
  REQUIRE(batch->commit(at(1)).has_value());
  CHECK(dump(b.tables()) == "1/d=5 ");
}

TEST_CASE_TEMPLATE("state: rows put after a drop stay", B, FOR_ALL_BACKENDS) {
  B b;
  put(b.tables(), 5, {{"a", "1"}, {"b", "2"}});
  REQUIRE(b.tables().drop_group(group).has_value());
  put(b.tables(), 1, {{"a", "3"}});
  REQUIRE(b.tables().flush().has_value());
  b.reopen();
  const auto batch = test::begin(b.tables(), group);
  CHECK(batch->get(config, "a") == "3");
  CHECK(!batch->get(config, "b"));
  CHECK(b.tables().applied(group).value() == at(1));
}

} // namespace muster::test
