#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

#include "tests/support/group_batch.hpp"
#include "tests/unit/storage/node_disk.hpp"

/// Random work, then the power goes: what was acknowledged is there, nothing is
/// torn, the tables are those of one applied position.
namespace muster::storage {
namespace {

constexpr std::size_t no_limit = 1 << 30;
constexpr std::uint64_t groups = 3;
constexpr std::uint64_t never_given_up = 0;

struct stored {
  std::uint64_t term;
  std::string payload;
  bool operator==(const stored&) const = default;
};

/// One group's log: first index behind the compacted prefix -> entries.
struct log_model {
  raft::hard_state state;
  std::uint64_t compacted = 0;
  std::map<std::uint64_t, stored> entries;
  raft::log_position floor;
  bool given_up = false;
  bool operator==(const log_model&) const = default;
  std::uint64_t last() const {
    return entries.empty() ? compacted : entries.rbegin()->first;
  }
};

using model = std::map<std::uint64_t, log_model>;

/// A seeded run against one disk, with what has to be there.
class run {
public:
  explicit run(std::uint64_t seed) : random_(seed), disk_(64 << 10) {}

  void cycle() {
    disk_.open();
    check_logs();
    check_tables();
    const auto steps = pick(1, 30);
    for (std::uint64_t i = 0; i < steps; ++i)
      step();
    // Seldom: RocksDB waits a second after an error before it closes.
    const bool cut_in_the_middle = pick(0, 9) == 0;
    if (cut_in_the_middle) {
      disk_.disk().fail(disk_call::sync, pick(1, 3), disk_fault::io_error);
      // The tables' flush in the background may take the fault: then the power
      // goes with the log whole and the tables' database stopped.
      while (append() && disk_.disk().waits(disk_call::sync)) {
      }
    }
    disk_.lose_power(pick(0, 1) == 0 ? unsynced::lost : unsynced::torn,
                     random_());
  }

private:
  std::uint64_t pick(std::uint64_t from, std::uint64_t to) {
    return from + random_() % (to - from + 1);
  }

  std::string random_payload() {
    // Most are small, some span blocks of the write-ahead log.
    const auto size = pick(0, 9) == 0 ? pick(0, 100'000) : pick(0, 400);
    std::string text;
    while (text.size() < size)
      text += std::to_string(random_());
    text.resize(static_cast<std::size_t>(size));
    return text;
  }

  void step() {
    switch (pick(0, 11)) {
      case 0:
        return compact();
      case 1:
        REQUIRE(disk_.on().tables().flush().has_value());
        before_drop_.clear();
        return;
      case 10:
        return give_up_or_begin_anew();
      case 11:
        return drop();
      case 2:
      case 3:
        return commit();
      default:
        REQUIRE(append());
    }
  }

  raft::append_batch random_batch(model& next) {
    auto id = pick(0, groups - 1);
    if (next[id].given_up)
      id = never_given_up;
    auto& log = next[id];
    raft::append_batch batch{partition_id{id}, {}, {}};
    const auto term = log.state.term.value + pick(0, 1);
    if (term != log.state.term.value || log.state.term.value == 0) {
      log.state = {term_id{std::max<std::uint64_t>(term, 1)},
                   node_id{pick(1, 3)}};
      batch.state = log.state;
    }
    auto index = log.last() + 1;
    if (index > log.compacted + 1 && pick(0, 5) == 0)
      index = pick(log.compacted + 1, index);
    log.entries.erase(log.entries.lower_bound(index), log.entries.end());
    for (auto n = pick(0, 8); n > 0; --n, ++index) {
      log.entries[index] = {log.state.term.value, random_payload()};
      batch.entries.push_back(make_entry(index, log.state.term.value,
                                         log.entries[index].payload));
    }
    // No new entries replace nothing.
    if (batch.entries.empty())
      log.entries = acknowledged_[id].entries;
    return batch;
  }

  /// False if the disk failed; then the append may or may not have happened.
  bool append() {
    auto next = acknowledged_;
    std::vector<raft::append_batch> batches;
    batches.push_back(random_batch(next));
    const auto done = disk_.on().logs().append(batches);
    if (done) {
      acknowledged_ = next;
      return true;
    }
    CHECK(done.error().code == errc::unknown);
    in_doubt_ = next;
    const auto again = disk_.on().logs().append(batches);
    REQUIRE(!again.has_value());
    CHECK(again.error().code == errc::failed_precondition);
    return false;
  }

  void compact() {
    const auto id = pick(0, groups - 1);
    auto& log = acknowledged_[id];
    if (log.entries.empty())
      return;
    const auto upto = pick(log.compacted + 1, log.last());
    raft::snapshot_meta meta;
    meta.last = {term_id{log.entries[upto].term}, log_index{upto}};
    REQUIRE(disk_.on().logs().compact(partition_id{id}, meta).has_value());
    log.compacted = upto;
    log.entries.erase(log.entries.begin(), log.entries.upper_bound(upto));
  }

  void give_up_or_begin_anew() {
    const auto id = pick(1, groups - 1);
    auto& log = acknowledged_[id];
    auto& logs = disk_.on().logs();
    if (log.given_up) {
      REQUIRE(logs.begin_anew(partition_id{id}).has_value());
      log.given_up = false;
      return;
    }
    const raft::log_position floor{
      term_id{log.state.term.value + pick(0, 1)},
      log_index{log.last() + pick(0, 3)}};
    REQUIRE(logs.give_up(partition_id{id}, floor).has_value());
    log_model left;
    left.state = floor.term == log.state.term
                   ? log.state
                   : raft::hard_state{floor.term, {}};
    left.floor = std::max(log.floor, floor);
    left.given_up = true;
    log = left;
  }

  /// Until the next flush the power's loss may bring the tables back.
  void drop() {
    const auto id = pick(0, groups - 1);
    REQUIRE(disk_.on().tables().drop_group(partition_id{id}).has_value());
    before_drop_[id] = std::max(before_drop_[id], applied_[id]);
    applied_[id] = 0;
  }

  /// Both rows say at which position they were written, in two tables.
  void commit() {
    const auto id = partition_id{pick(0, groups - 1)};
    const auto index = ++applied_[id.value];
    const auto batch = test::begin(disk_.on().tables(), id);
    batch->put(table_id::config, "row", std::to_string(index));
    batch->put(table_id::history, std::to_string(index), random_payload());
    batch->put(table_id::gray, "row", std::to_string(index));
    REQUIRE(batch->commit({term_id{1}, log_index{index}}).has_value());
  }

  model read_logs() {
    model found;
    for (std::uint64_t id = 0; id < groups; ++id) {
      auto& logs = disk_.on().logs();
      const auto loaded = logs.load(partition_id{id});
      REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
      auto& log = found[id];
      log.state = loaded->state;
      log.compacted = loaded->snapshot.last.index.value;
      log.floor = loaded->floor;
      log.given_up = loaded->given_up;
      const auto entries
        = logs.read(partition_id{id}, loaded->snapshot.last.index.next(),
                    loaded->last.next(), no_limit);
      REQUIRE_MESSAGE(entries.has_value(), entries.error().message);
      for (const auto& e : *entries)
        log.entries[e.index.value] = {e.term.value, *e.payload};
      CHECK(log.last() == loaded->last.value);
    }
    return found;
  }

  void check_logs() {
    for (std::uint64_t id = 0; id < groups; ++id)
      acknowledged_[id];
    const auto found = read_logs();
    if (in_doubt_) {
      for (std::uint64_t id = 0; id < groups; ++id)
        (*in_doubt_)[id];
    }
    const bool as_acknowledged = found == acknowledged_;
    const bool one_further = in_doubt_ && found == *in_doubt_;
    REQUIRE((as_acknowledged || one_further));
    acknowledged_ = found;
    in_doubt_.reset();
  }

  void check_tables() {
    for (std::uint64_t id = 0; id < groups; ++id) {
      const auto at = disk_.on().tables().applied(partition_id{id});
      REQUIRE_MESSAGE(at.has_value(), at.error().message);
      const auto index = at->index.value;
      CHECK(index <= std::max(applied_[id], before_drop_[id]));
      applied_[id] = index;
      const auto reader = disk_.on().tables().reader(partition_id{id});
      std::uint64_t rows = 0;
      reader->scan(table_id::history, "", [&](auto, auto) {
        ++rows;
        return true;
      });
      CHECK(rows == index);
      const auto expected
        = index == 0 ? std::optional<std::string>{} : std::to_string(index);
      CHECK(reader->get(table_id::config, "row") == expected);
      CHECK(reader->get(table_id::gray, "row") == expected);
    }
    before_drop_.clear();
  }

  std::mt19937_64 random_;
  node_disk disk_;
  model acknowledged_;
  /// What an append that failed may have led to.
  std::optional<model> in_doubt_;
  std::map<std::uint64_t, std::uint64_t> applied_;
  /// What was applied to tables whose drop is not flushed yet.
  std::map<std::uint64_t, std::uint64_t> before_drop_;
};

} // namespace

TEST_CASE("power loss: nothing acknowledged is lost, nothing is torn") {
  // MUSTER_TEST_SEED=n runs the one cycle row that failed.
  const char* chosen = std::getenv("MUSTER_TEST_SEED");
  const std::uint64_t first = chosen ? std::strtoull(chosen, nullptr, 10) : 1;
  const std::uint64_t count = chosen ? 1 : 20;
  constexpr int cycles = 10;
  for (auto seed = first; seed < first + count; ++seed) {
    CAPTURE(seed);
    run r{seed};
    for (int i = 0; i < cycles; ++i)
      r.cycle();
  }
  MESSAGE(count, " seeds from ", first, ", ", cycles, " power losses each");
}

} // namespace muster::storage
