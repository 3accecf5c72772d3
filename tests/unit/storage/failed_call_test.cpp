#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/group_batch.hpp"
#include "tests/unit/storage/node_disk.hpp"

/// One call of the disk fails, for every call that a fixed piece of work makes
/// (reliability.md, D3): what was acknowledged is there, what was refused is
/// there whole or not at all, and the next start needs nobody's help.
namespace muster::storage {
namespace {

constexpr std::size_t no_limit = 1 << 30;
const partition_id written{1};  ///< appended to and committed
const partition_id imported{2}; ///< replaced by a snapshot

constexpr std::array calls{
    std::pair{disk_call::open, std::string_view("open")},
    std::pair{disk_call::append, std::string_view("append")},
    std::pair{disk_call::sync, std::string_view("sync")},
    std::pair{disk_call::sync_directory,
              std::string_view("sync of a directory")},
    std::pair{disk_call::rename, std::string_view("rename")},
    std::pair{disk_call::remove, std::string_view("remove")},
    std::pair{disk_call::list, std::string_view("list")},
    std::pair{disk_call::read, std::string_view("read")}};

std::string payload_of(std::uint64_t index) {
  return std::to_string(index)
         + std::string(3'000, static_cast<char>('a' + index % 26));
}

/// The same work each time, on a disk that may fail; it goes on after a failure
/// as far as it is let.
class work {
public:
  explicit work(node_disk& d) : disk_(d) {}

  /// Before anything fails: there is something to open.
  void prepare() {
    disk_.open();
    all();
    REQUIRE(in_doubt_ == acknowledged_);
    disk_.close();
  }

  /// The disk is open.
  void all() {
    for (int n = 0; n < 4; ++n)
      append();
    compact();
    for (int n = 0; n < 4; ++n)
      commit();
    if (disk_.on().tables().flush())
      flushed_ = committed_;
    copy();
    import();
    append();
    commit();
  }

  void check() {
    check_log();
    check_tables();
    check_import();
  }

private:
  void append() {
    const auto index = acknowledged_ + 1;
    const raft::append_batch batch{written,
                                   raft::hard_state{term_id{1}, node_id{1}},
                                   {make_entry(index, 1, payload_of(index))}};
    const auto done = disk_.on().logs().append({&batch, 1});
    if (done) {
      // Once an append failed, none may succeed on this start.
      CHECK(in_doubt_ == acknowledged_);
      acknowledged_ = index;
      in_doubt_ = index;
    } else if (done.error().code == errc::unknown) {
      in_doubt_ = index;
    }
    // Else nothing was written: the stored log could not be looked at, or the
    // store takes nothing any more.
  }

  void compact() {
    raft::snapshot_meta meta;
    meta.last = {term_id{1}, log_index{acknowledged_ - 2}};
    if (disk_.on().logs().compact(written, meta))
      compacted_ = std::max(compacted_, acknowledged_ - 2);
    else
      compacted_max_ = std::max(compacted_max_, acknowledged_ - 2);
  }

  void commit() {
    const auto index = committed_ + 1;
    const auto batch = test::begin(disk_.on().tables(), written);
    batch->put(table_id::config, "row", std::to_string(index));
    batch->put(table_id::history, std::to_string(index), payload_of(index));
    if (batch->commit({term_id{1}, log_index{index}}))
      committed_ = index;
  }

  /// Reads all of a snapshot; what it says is right, or it says that it failed.
  void copy() {
    auto from = disk_.on().tables().export_group(written);
    if (!from)
      return;
    const auto position = (*from)->position().index.value;
    std::uint64_t rows = 0;
    const auto read = (*from)->read({}, [&](auto table, auto, auto) {
      rows += table == table_id::history ? 1 : 0;
      return true;
    });
    if (read)
      CHECK(rows == position);
  }

  void import() {
    const auto index = imported_ + 10;
    const auto importer = disk_.on().tables().import_group(imported);
    bool fine = true;
    for (std::uint64_t row = 0; fine && row < index; ++row)
      fine = importer
                 ->add(table_id::config, std::to_string(1'000 + row),
                       std::to_string(index))
                 .has_value();
    if (fine
        && importer->finish({{term_id{1}, log_index{index}}, {}}).has_value())
      imported_ = index;
    else
      maybe_imported_ = index;
  }

  void check_log() const {
    auto& logs = disk_.on().logs();
    const auto loaded = logs.load(written);
    REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
    const auto last = loaded->last.value;
    CHECK((last == acknowledged_ || last == in_doubt_));
    const auto first = loaded->snapshot.last.index;
    CHECK(first.value >= compacted_);
    CHECK(first.value <= std::max(compacted_, compacted_max_));
    const auto entries =
        logs.read(written, first.next(), loaded->last.next(), no_limit);
    REQUIRE_MESSAGE(entries.has_value(), entries.error().message);
    CHECK(entries->size() == last - first.value);
    for (const auto& e : *entries)
      CHECK(*e.payload == payload_of(e.index.value));
  }

  void check_tables() const {
    const auto at = disk_.on().tables().applied(written);
    REQUIRE_MESSAGE(at.has_value(), at.error().message);
    const auto index = at->index.value;
    CHECK(index >= flushed_);
    // A commit that was refused may have happened.
    CHECK(index <= committed_ + 1);
    const auto reader = disk_.on().tables().reader(written);
    CHECK(reader->get(table_id::config, "row") == std::to_string(index));
    std::uint64_t rows = 0;
    reader->scan(table_id::history, "", [&](auto, auto) {
      ++rows;
      return true;
    });
    CHECK(rows == index);
  }

  void check_import() const {
    const auto at = disk_.on().tables().applied(imported);
    REQUIRE_MESSAGE(at.has_value(), at.error().message);
    const auto index = at->index.value;
    CHECK((index == imported_ || index == maybe_imported_));
    std::uint64_t rows = 0;
    disk_.on().tables().reader(imported)->scan(
        table_id::config, "", [&](auto, auto value) {
          ++rows;
          CHECK(value == std::to_string(index));
          return true;
        });
    CHECK(rows == index);
  }

  node_disk& disk_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t in_doubt_ = 0; ///< of an append that may have happened
  std::uint64_t compacted_ = 0;
  std::uint64_t compacted_max_ = 0;
  std::uint64_t committed_ = 0;
  std::uint64_t flushed_ = 0;
  std::uint64_t imported_ = 0;
  std::uint64_t maybe_imported_ = 0;
};

/// How often the work makes that call, from start to end.
std::uint64_t calls_of(disk_call call) {
  node_disk disk;
  work w(disk);
  w.prepare();
  disk.open();
  w.all();
  return disk.disk().calls(call);
}

/// False if the work was over before that call came.
bool fails_well(disk_call call, std::uint64_t nth, disk_fault fault) {
  node_disk disk;
  work w(disk);
  w.prepare();
  const auto opened =
      disk.try_open([&](fault_disk& d) { d.fail(call, nth, fault); });
  if (opened) {
    w.all();
  } else {
    CHECK(opened.error().code != errc::ok);
    CHECK_FALSE(opened.error().message.empty());
  }
  const bool came = !disk.disk().waits(call);
  disk.close();
  disk.open();
  w.check();
  return came;
}

} // namespace

TEST_CASE("D3: any call of the disk may fail") {
  // All of them take minutes: RocksDB waits for a second when a failure struck
  // its background work.
  const char* is_long = std::getenv("MUSTER_TEST_LONG");
  const std::uint64_t stride = is_long && *is_long == '1' ? 1 : 17;
  std::uint64_t failed = 0;
  std::uint64_t all = 0;
  for (const auto& [call, name] : calls) {
    const auto count = calls_of(call);
    CHECK(count > 0);
    for (const auto fault : {disk_fault::io_error, disk_fault::no_space})
      for (std::uint64_t nth = 1; nth <= count; ++nth, ++all) {
        if (all % stride != 0)
          continue;
        CAPTURE(std::string(name));
        CAPTURE(nth);
        CAPTURE(fault == disk_fault::no_space);
        failed += fails_well(call, nth, fault) ? 1 : 0;
      }
  }
  CHECK(failed > 0);
  std::printf("board: suite=storage io_calls=%llu io_calls_failed=%llu\n",
              static_cast<unsigned long long>(all),
              static_cast<unsigned long long>(failed));
}

} // namespace muster::storage
