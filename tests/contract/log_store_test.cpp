#include <string>
#include <vector>

#include "tests/contract/backends.hpp"

/// Every sentence of `raft::log_store` in ports.hpp, for every implementation.
namespace muster::test {
namespace {

constexpr std::size_t no_limit = 1 << 30;
const partition_id group{3};

raft::entry make_entry(std::uint64_t index, std::uint64_t term,
                       std::string payload) {
  return {term_id{term}, log_index{index}, raft::entry_kind::command,
          std::make_shared<const std::string>(std::move(payload))};
}

/// Entries [first, last] of one term; the payload says which is which.
std::vector<raft::entry> make_entries(std::uint64_t first, std::uint64_t last,
                                      std::uint64_t term = 1) {
  std::vector<raft::entry> made;
  for (auto i = first; i <= last; ++i)
    made.push_back(make_entry(
      i, term, "e" + std::to_string(i) + "t" + std::to_string(term)));
  return made;
}

result<void> append(raft::log_store& logs, std::vector<raft::entry> entries,
                    partition_id to = group) {
  const raft::append_batch batch{to, {}, std::move(entries)};
  return logs.append({&batch, 1});
}

/// "index:term:payload …" of all entries from `from`.
std::string dump(raft::log_store& logs, std::uint64_t from,
                 partition_id of = group) {
  const auto found = logs.read(of, log_index{from}, log_index{1000}, no_limit);
  if (!found)
    return std::string(to_string(found.error().code));
  std::string text;
  for (const auto& e : *found)
    text += std::to_string(e.index.value) + ":" + std::to_string(e.term.value)
            + ":" + *e.payload + " ";
  return text;
}

raft::snapshot_meta snapshot_at(std::uint64_t index, std::uint64_t term = 1) {
  return {{term_id{term}, log_index{index}},
          {{node_id{1}, node_id{2}}, {node_id{3}}, {node_id{4}}}};
}

} // namespace

TEST_CASE_TEMPLATE("log: a group never written is empty", B, FOR_ALL_BACKENDS) {
  B b;
  const auto found = b.logs().load(group);
  REQUIRE(found.has_value());
  CHECK(found->state == raft::hard_state{});
  CHECK(found->snapshot == raft::snapshot_meta{});
  CHECK(found->last == log_index{0});
  CHECK(found->last_term == term_id{0});
  CHECK(dump(b.logs(), 1) == "");
}

TEST_CASE_TEMPLATE("log: what was appended is there, also when opened anew", B,
                   FOR_ALL_BACKENDS) {
  B b;
  const raft::append_batch batch{
    group, raft::hard_state{term_id{7}, node_id{2}}, make_entries(1, 3, 7)};
  REQUIRE(b.logs().append({&batch, 1}).has_value());
  for (int round = 0; round < 2; ++round) {
    const auto found = b.logs().load(group);
    REQUIRE(found.has_value());
    CHECK(found->state == raft::hard_state{term_id{7}, node_id{2}});
    CHECK(found->last == log_index{3});
    CHECK(found->last_term == term_id{7});
    CHECK(dump(b.logs(), 1) == "1:7:e1t7 2:7:e2t7 3:7:e3t7 ");
    b.reopen();
  }
}

TEST_CASE_TEMPLATE("log: the terms and the configurations behind the snapshot",
                   B, FOR_ALL_BACKENDS) {
  B b;
  auto entries = make_entries(1, 3, 2);
  for (auto& e : make_entries(4, 6, 5))
    entries.push_back(e);
  for (const auto at : {1U, 4U})
    entries[at].kind = raft::entry_kind::configuration;
  REQUIRE(append(b.logs(), entries).has_value());
  // Other entries from 6 on, in a newer term.
  REQUIRE(append(b.logs(), make_entries(6, 7, 9)).has_value());
  for (int round = 0; round < 2; ++round) {
    const auto found = b.logs().load(group);
    REQUIRE(found.has_value());
    CHECK(found->terms
          == std::vector<raft::term_run>{{term_id{2}, log_index{1}},
                                         {term_id{5}, log_index{4}},
                                         {term_id{9}, log_index{6}}});
    REQUIRE(found->changes.size() == 2);
    CHECK(found->changes[0].index == log_index{2});
    CHECK(*found->changes[0].payload == "e2t2");
    CHECK(found->changes[1].index == log_index{5});
    b.reopen();
  }
  REQUIRE(b.logs().compact(group, snapshot_at(4, 5)).has_value());
  const auto found = b.logs().load(group);
  REQUIRE(found.has_value());
  CHECK(found->terms
        == std::vector<raft::term_run>{{term_id{5}, log_index{5}},
                                       {term_id{9}, log_index{6}}});
  CHECK(found->changes.size() == 1);
}

TEST_CASE_TEMPLATE("log: kinds, empty, null and binary payloads come back", B,
                   FOR_ALL_BACKENDS) {
  B b;
  const std::string binary("\0\xff\n\0", 4);
  auto entries = std::vector{make_entry(1, 1, ""), make_entry(2, 1, binary)};
  entries.push_back({term_id{1}, log_index{3}, raft::entry_kind::no_op, {}});
  entries.push_back({term_id{1}, log_index{4}, raft::entry_kind::configuration,
                     std::make_shared<const std::string>("c")});
  REQUIRE(append(b.logs(), entries).has_value());
  b.reopen();
  const auto found = b.logs().read(group, log_index{1}, log_index{5}, no_limit);
  REQUIRE(found.has_value());
  REQUIRE(found->size() == 4);
  CHECK(*(*found)[0].payload == "");
  CHECK(*(*found)[1].payload == binary);
  CHECK((*found)[2].kind == raft::entry_kind::no_op);
  REQUIRE((*found)[2].payload);
  CHECK(*(*found)[2].payload == "");
  CHECK((*found)[3].kind == raft::entry_kind::configuration);
}

TEST_CASE_TEMPLATE("log: one append serves many groups, and one more than once",
                   B, FOR_ALL_BACKENDS) {
  B b;
  const std::vector<raft::append_batch> batches{
    {group, {}, make_entries(1, 2)},
    {partition_id{0}, raft::hard_state{term_id{1}, node_id{1}}, {}},
    {partition_id{9}, {}, make_entries(1, 1)},
    {group, raft::hard_state{term_id{2}, node_id{0}}, make_entries(3, 3, 2)}};
  REQUIRE(b.logs().append(batches).has_value());
  b.reopen();
  CHECK(dump(b.logs(), 1) == "1:1:e1t1 2:1:e2t1 3:2:e3t2 ");
  CHECK(dump(b.logs(), 1, partition_id{9}) == "1:1:e1t1 ");
  CHECK(b.logs().load(partition_id{0})->state
        == raft::hard_state{term_id{1}, node_id{1}});
  CHECK(b.logs().load(group)->state
        == raft::hard_state{term_id{2}, node_id{0}});
  CHECK(b.logs().load(partition_id{9})->state == raft::hard_state{});
}

TEST_CASE_TEMPLATE("log: a batch that does not fit changes nothing at all", B,
                   FOR_ALL_BACKENDS) {
  B b;
  REQUIRE(append(b.logs(), make_entries(1, 3, 5)).has_value());
  const auto refused = [&](std::vector<raft::entry> entries) {
    const std::vector<raft::append_batch> batches{
      {partition_id{1}, {}, make_entries(1, 1)}, {group, {}, entries}};
    const auto done = b.logs().append(batches);
    return !done && done.error().code == errc::invalid_argument;
  };
  CHECK(refused(make_entries(5, 6, 5)));                             // gap
  CHECK(refused({make_entry(4, 5, ""), make_entry(6, 5, "")}));      // gap inside
  CHECK(refused(make_entries(4, 4, 4)));                             // term falls
  CHECK(refused({make_entry(4, 6, ""), make_entry(5, 5, "")}));      // inside
  CHECK(refused(make_entries(0, 0, 5)));                             // no index 0
  CHECK(dump(b.logs(), 1, partition_id{1}) == "");
  CHECK(dump(b.logs(), 1) == "1:5:e1t5 2:5:e2t5 3:5:e3t5 ");
  CHECK_MESSAGE(append(b.logs(), make_entries(4, 4, 5)).has_value(),
                "a refused batch does not stop the log");
}

TEST_CASE_TEMPLATE("log: a conflicting tail is replaced to its end", B,
                   FOR_ALL_BACKENDS) {
  B b;
  REQUIRE(append(b.logs(), make_entries(1, 6)).has_value());
  REQUIRE(append(b.logs(), make_entries(1, 2), partition_id{4}).has_value());
  REQUIRE(append(b.logs(), make_entries(3, 4, 2)).has_value());
  for (int round = 0; round < 2; ++round) {
    CHECK(dump(b.logs(), 1) == "1:1:e1t1 2:1:e2t1 3:2:e3t2 4:2:e4t2 ");
    const auto found = b.logs().load(group);
    REQUIRE(found.has_value());
    CHECK(found->last == log_index{4});
    CHECK(found->last_term == term_id{2});
    CHECK(dump(b.logs(), 1, partition_id{4}) == "1:1:e1t1 2:1:e2t1 ");
    b.reopen();
  }
  REQUIRE(append(b.logs(), make_entries(5, 5, 2)).has_value());
  CHECK(dump(b.logs(), 4) == "4:2:e4t2 5:2:e5t2 ");
  // The whole log, and twice within one append.
  const std::vector<raft::append_batch> twice{
    {group, {}, make_entries(1, 3, 3)}, {group, {}, make_entries(2, 2, 4)}};
  REQUIRE(b.logs().append(twice).has_value());
  b.reopen();
  CHECK(dump(b.logs(), 1) == "1:3:e1t3 2:4:e2t4 ");
}

TEST_CASE_TEMPLATE("log: a read keeps to its range and its limit", B,
                   FOR_ALL_BACKENDS) {
  B b;
  std::vector<raft::entry> entries;
  for (std::uint64_t i = 1; i <= 5; ++i)
    entries.push_back(make_entry(i, 1, std::string(100, 'x')));
  REQUIRE(append(b.logs(), entries).has_value());
  const auto count = [&](std::uint64_t from, std::uint64_t to,
                         std::size_t bytes) {
    const auto found
      = b.logs().read(group, log_index{from}, log_index{to}, bytes);
    REQUIRE(found.has_value());
    if (!found->empty())
      CHECK(found->front().index == log_index{from});
    return found->size();
  };
  CHECK(count(1, 6, no_limit) == 5);
  CHECK(count(2, 4, no_limit) == 2);
  CHECK(count(3, 3, no_limit) == 0);
  CHECK(count(4, 100, no_limit) == 2);
  CHECK(count(6, 100, no_limit) == 0);
  CHECK(count(1, 6, 0) == 1);
  CHECK(count(1, 6, 99) == 1);
  CHECK(count(1, 6, 250) == 2);
  CHECK(count(1, 6, 300) == 3);
}

TEST_CASE_TEMPLATE("log: compaction forgets the beginning", B,
                   FOR_ALL_BACKENDS) {
  B b;
  REQUIRE(append(b.logs(), make_entries(1, 6)).has_value());
  REQUIRE(append(b.logs(), make_entries(1, 2), partition_id{4}).has_value());
  REQUIRE(b.logs().compact(group, snapshot_at(4)).has_value());
  REQUIRE_MESSAGE(b.logs().compact(group, snapshot_at(2)).has_value(),
                  "an older compaction is done already");
  for (int round = 0; round < 2; ++round) {
    CHECK(dump(b.logs(), 4) == "out_of_range");
    CHECK(dump(b.logs(), 0) == "out_of_range");
    CHECK(dump(b.logs(), 5) == "5:1:e5t1 6:1:e6t1 ");
    const auto found = b.logs().load(group);
    REQUIRE(found.has_value());
    CHECK(found->snapshot == snapshot_at(4));
    CHECK(found->last == log_index{6});
    CHECK(dump(b.logs(), 1, partition_id{4}) == "1:1:e1t1 2:1:e2t1 ");
    b.reopen();
  }
  const auto refused = append(b.logs(), make_entries(4, 4));
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code == errc::invalid_argument);
  REQUIRE(append(b.logs(), make_entries(5, 5, 2)).has_value());
  CHECK(dump(b.logs(), 5) == "5:2:e5t2 ");
}

TEST_CASE_TEMPLATE("log: compaction at and beyond the end leaves it empty", B,
                   FOR_ALL_BACKENDS) {
  B b;
  REQUIRE(append(b.logs(), make_entries(1, 3)).has_value());
  for (const std::uint64_t end : {3, 10}) {
    REQUIRE(b.logs().compact(group, snapshot_at(end, 2)).has_value());
    b.reopen();
    const auto found = b.logs().load(group);
    REQUIRE(found.has_value());
    CHECK(found->last == log_index{end});
    CHECK(found->last_term == term_id{2});
    CHECK(dump(b.logs(), end + 1) == "");
  }
  const auto fallen = append(b.logs(), make_entries(11, 11, 1));
  REQUIRE(!fallen.has_value());
  CHECK(fallen.error().code == errc::invalid_argument);
  REQUIRE(append(b.logs(), make_entries(11, 12, 2)).has_value());
  CHECK(dump(b.logs(), 11) == "11:2:e11t2 12:2:e12t2 ");
}

TEST_CASE_TEMPLATE("log: a snapshot of another history drops all entries", B,
                   FOR_ALL_BACKENDS) {
  B b;
  REQUIRE(append(b.logs(), make_entries(1, 6)).has_value());
  REQUIRE(append(b.logs(), make_entries(1, 1), partition_id{4}).has_value());
  REQUIRE(b.logs().compact(group, snapshot_at(4, 2)).has_value());
  for (int round = 0; round < 2; ++round) {
    const auto found = b.logs().load(group);
    REQUIRE(found.has_value());
    CHECK(found->last == log_index{4});
    CHECK(found->last_term == term_id{2});
    CHECK(dump(b.logs(), 5) == "");
    CHECK(dump(b.logs(), 1, partition_id{4}) == "1:1:e1t1 ");
    b.reopen();
  }
}

TEST_CASE_TEMPLATE("log: what is given up leaves term, vote and floor", B,
                   FOR_ALL_BACKENDS) {
  B b;
  CHECK(!b.logs().load(group)->given_up);
  const raft::append_batch batch{
    group, raft::hard_state{term_id{7}, node_id{2}}, make_entries(1, 6, 7)};
  REQUIRE(b.logs().append({&batch, 1}).has_value());
  REQUIRE(append(b.logs(), make_entries(1, 1), partition_id{4}).has_value());
  REQUIRE(b.logs().compact(group, snapshot_at(2, 7)).has_value());
  const raft::log_position floor{term_id{7}, log_index{9}};
  REQUIRE(b.logs().give_up(group, floor).has_value());
  for (int round = 0; round < 2; ++round) {
    const auto found = b.logs().load(group);
    REQUIRE(found.has_value());
    CHECK(found->given_up);
    CHECK(found->floor == floor);
    CHECK(found->state == raft::hard_state{term_id{7}, node_id{2}});
    CHECK(found->snapshot == raft::snapshot_meta{});
    CHECK(found->last == log_index{0});
    CHECK(found->last_term == term_id{0});
    CHECK(found->terms.empty());
    CHECK(dump(b.logs(), 1) == "");
    CHECK(dump(b.logs(), 1, partition_id{4}) == "1:1:e1t1 ");
    CHECK(!b.logs().load(partition_id{4})->given_up);
    b.reopen();
  }
}

TEST_CASE_TEMPLATE("log: given up again, the highest term and floor count", B,
                   FOR_ALL_BACKENDS) {
  B b;
  const raft::append_batch vote{
    group, raft::hard_state{term_id{3}, node_id{2}}, {}};
  REQUIRE(b.logs().append({&vote, 1}).has_value());
  // A newer term has no vote yet.
  const raft::log_position high{term_id{5}, log_index{9}};
  REQUIRE(b.logs().give_up(group, high).has_value());
  CHECK(b.logs().load(group)->state == raft::hard_state{term_id{5}, {}});
  const raft::log_position low{term_id{4}, log_index{20}};
  REQUIRE(b.logs().give_up(group, low).has_value());
  b.reopen();
  CHECK(b.logs().load(group)->state == raft::hard_state{term_id{5}, {}});
  CHECK(b.logs().load(group)->floor == high);
  // Also for who had nothing to give up.
  REQUIRE(b.logs().give_up(partition_id{8}, low).has_value());
  CHECK(b.logs().load(partition_id{8})->given_up);
}

TEST_CASE_TEMPLATE("log: no log is given up that goes beyond the floor", B,
                   FOR_ALL_BACKENDS) {
  B b;
  REQUIRE(append(b.logs(), make_entries(1, 3, 5)).has_value());
  for (const auto& floor :
       {raft::log_position{term_id{5}, log_index{2}},
        raft::log_position{term_id{4}, log_index{9}}}) {
    const auto refused = b.logs().give_up(group, floor);
    REQUIRE(!refused.has_value());
    CHECK(refused.error().code == errc::invalid_argument);
  }
  CHECK(!b.logs().load(group)->given_up);
  CHECK(b.logs().load(group)->floor == raft::log_position{});
  CHECK(dump(b.logs(), 1) == "1:5:e1t5 2:5:e2t5 3:5:e3t5 ");
  REQUIRE(b.logs().give_up(group, {term_id{5}, log_index{3}}).has_value());
}

TEST_CASE_TEMPLATE("log: a group that is given up takes nothing until it is "
                   "begun anew",
                   B, FOR_ALL_BACKENDS) {
  B b;
  REQUIRE_MESSAGE(b.logs().begin_anew(group).has_value(), "nothing to do");
  REQUIRE(append(b.logs(), make_entries(1, 3, 5)).has_value());
  REQUIRE(b.logs().begin_anew(group).has_value());
  CHECK(dump(b.logs(), 3) == "3:5:e3t5 ");
  const raft::log_position floor{term_id{5}, log_index{4}};
  REQUIRE(b.logs().give_up(group, floor).has_value());
  for (int round = 0; round < 2; ++round) {
    const raft::append_batch state{
      group, raft::hard_state{term_id{6}, node_id{1}}, {}};
    const auto late = b.logs().append({&state, 1});
    REQUIRE(!late.has_value());
    CHECK(late.error().code == errc::invalid_argument);
    CHECK(!append(b.logs(), make_entries(4, 4, 5)).has_value());
    const auto compacted = b.logs().compact(group, snapshot_at(4, 5));
    REQUIRE(!compacted.has_value());
    CHECK(compacted.error().code == errc::invalid_argument);
    CHECK(b.logs().load(group)->state == raft::hard_state{term_id{5}, {}});
    b.reopen();
  }
  REQUIRE(b.logs().begin_anew(group).has_value());
  b.reopen();
  CHECK(!b.logs().load(group)->given_up);
  CHECK(b.logs().load(group)->floor == floor);
  CHECK(b.logs().load(group)->state == raft::hard_state{term_id{5}, {}});
  REQUIRE(append(b.logs(), make_entries(1, 2, 4)).has_value());
  b.reopen();
  CHECK(b.logs().load(group)->floor == floor);
  CHECK(dump(b.logs(), 1) == "1:4:e1t4 2:4:e2t4 ");
  // By a snapshot, too.
  REQUIRE(b.logs().give_up(group, floor).has_value());
  REQUIRE(b.logs().begin_anew(group).has_value());
  REQUIRE(b.logs().compact(group, snapshot_at(9, 6)).has_value());
  b.reopen();
  CHECK(b.logs().load(group)->snapshot == snapshot_at(9, 6));
  CHECK(b.logs().load(group)->last == log_index{9});
}

} // namespace muster::test
