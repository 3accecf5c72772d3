#include <rocksdb/db.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>

#include "storage/rocksdb/codec.hpp"
#include "tests/support/group_batch.hpp"
#include "tests/unit/storage/node_disk.hpp"

/// Damaged bytes are found when they are read and never served.
namespace muster::storage {
namespace {

namespace fs = std::filesystem;
const partition_id group{3};
constexpr std::size_t no_limit = 1 << 30;

void append(engine& on, std::uint64_t first, std::uint64_t last,
            std::size_t size = 10) {
  raft::append_batch batch{group, raft::hard_state{term_id{2}, node_id{1}}, {}};
  for (auto i = first; i <= last; ++i)
    batch.entries.push_back(
      make_entry(i, 2, std::string(size, static_cast<char>('a' + i % 26))));
  const auto done = on.logs().append({&batch, 1});
  REQUIRE_MESSAGE(done.has_value(), done.error().message);
}

/// Changes stored values behind the engine's back.
void tamper(const fs::path& database,
            const std::function<void(
              rocksdb::DB&,
              const std::vector<rocksdb::ColumnFamilyHandle*>&)>& change) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name : {"default", "raft_log", "raft_meta", "state"})
    families.emplace_back(name, rocksdb::ColumnFamilyOptions{});
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(rocksdb::DBOptions{}, database.string(),
                                        families, &handles, &db);
  REQUIRE_MESSAGE(status.ok(), status.ToString());
  change(*db, handles);
  for (auto* h : handles)
    REQUIRE(db->DestroyColumnFamilyHandle(h).ok());
  delete db;
}

std::string read_file(const fs::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream{path, std::ios::binary} << bytes;
}

std::vector<fs::path> files(const fs::path& directory, std::string_view end) {
  std::vector<fs::path> found;
  for (const auto& f : fs::directory_iterator{directory}) {
    if (f.path().string().ends_with(end) && f.file_size() > 0)
      found.push_back(f.path());
  }
  std::ranges::sort(found);
  return found;
}

/// Text that does not compress.
std::string random_text(std::size_t size) {
  static std::mt19937_64 random{1};
  std::string text(size, '\0');
  for (auto& c : text)
    c = static_cast<char>('a' + random() % 26);
  return text;
}

/// A database whose log stands in the write-ahead log only, as after kill -9:
/// ten appends of one entry each.
fs::path write_wal(node_disk& disk, std::size_t size) {
  disk.open();
  for (std::uint64_t i = 1; i <= 10; ++i)
    append(disk.on(), i, i, size);
  disk.lose_power(unsynced::lost, 0);
  const auto found = files(disk.database(), ".log");
  REQUIRE(found.size() == 1);
  return found.front();
}

} // namespace

TEST_CASE("damaged values of the log are found when it is loaded") {
  struct row {
    const char* name;
    std::function<void(rocksdb::DB&, rocksdb::ColumnFamilyHandle* log,
                       rocksdb::ColumnFamilyHandle* meta)>
      change;
  };
  const auto key = codec::log_key(group, log_index{5});
  const auto flip = [&](std::size_t at, int bits) {
    return [=](rocksdb::DB& db, auto* log, auto*) {
      std::string value;
      REQUIRE(db.Get({}, log, key, &value).ok());
      value[at] = static_cast<char>(value[at] ^ bits);
      REQUIRE(db.Put({}, log, key, value).ok());
    };
  };
  const auto put = [](bool in_log, std::string k, std::string value) {
    return [=](rocksdb::DB& db, auto* log, auto* meta) {
      REQUIRE(db.Put({}, in_log ? log : meta, k, value).ok());
    };
  };
  const auto state_key = codec::meta_key(group, codec::meta_part::hard_state);
  const auto snapshot_key = codec::meta_key(group, codec::meta_part::snapshot);
  const auto floor_key = codec::meta_key(group, codec::meta_part::floor);
  const row rows[] = {
    {"format byte", flip(0, 0x80)},
    {"kind", flip(1, 0x40)},
    {"term higher than the next", flip(9, 0x40)},
    {"term lower than the one before", flip(9, 0x03)},
    {"empty value", put(true, key, "")},
    {"value cut", put(true, key, std::string("\1\1\0\0", 4))},
    {"entry missing",
     [&](rocksdb::DB& db, auto* log, auto*) {
       REQUIRE(db.Delete({}, log, key).ok());
     }},
    {"first entry missing",
     [&](rocksdb::DB& db, auto* log, auto*) {
       REQUIRE(db.Delete({}, log, codec::log_key(group, log_index{1})).ok());
     }},
    {"a key of another shape", put(true, key + "x", "")},
    {"hard state cut", put(false, state_key, "\1")},
    {"hard state of another format", put(false, state_key,
                                         std::string(17, '\2'))},
    {"snapshot cut", put(false, snapshot_key, "\1")},
    {"snapshot with a huge count",
     put(false, snapshot_key, "\1" + std::string(16, '\0')
                                + std::string(24, '\xff'))},
    {"floor empty", put(false, floor_key, "")},
    {"floor cut", put(false, floor_key, std::string("\1\1\0", 3))},
    {"floor neither given up nor not",
     put(false, floor_key, "\1" + std::string(16, '\1') + "\2")},
  };
  for (const auto& r : rows) {
    CAPTURE(r.name);
    node_disk disk;
    disk.open();
    append(disk.on(), 1, 9);
    disk.close();
    tamper(disk.database(), [&](rocksdb::DB& db, const auto& handles) {
      r.change(db, handles[1], handles[2]);
    });
    disk.open();
    const auto loaded = disk.on().logs().load(group);
    REQUIRE(!loaded.has_value());
    CHECK(loaded.error().code == errc::data_loss);
    const auto read
      = disk.on().logs().read(group, log_index{1}, log_index{9}, no_limit);
    REQUIRE(!read.has_value());
    CHECK(read.error().code == errc::data_loss);
    const raft::append_batch batch{group, {}, {make_entry(10, 2, "x")}};
    CHECK(!disk.on().logs().append({&batch, 1}).has_value());
    CHECK(disk.on().logs().load(partition_id{4}).has_value());
  }
}

TEST_CASE("a damaged applied position is found") {
  node_disk disk;
  disk.open();
  REQUIRE(test::begin(disk.on().tables(), group)->commit({{}, log_index{1}}));
  disk.close();
  tamper(disk.tables(), [&](rocksdb::DB& db, const auto& handles) {
    std::string key;
    codec::state_key(key, group, codec::applied_table, {});
    REQUIRE(db.Put({}, handles[3], key, "\1half").ok());
  });
  disk.open();
  const auto applied = disk.on().tables().applied(group);
  REQUIRE(!applied.has_value());
  CHECK(applied.error().code == errc::data_loss);
}

TEST_CASE("a flipped bit in a table file is found, not served") {
  node_disk disk;
  disk.open();
  append(disk.on(), 1, 50, 1000);
  const auto batch = test::begin(disk.on().tables(), group);
  for (int i = 0; i < 50; ++i)
    batch->put(table_id::config, std::to_string(i), random_text(1000));
  REQUIRE(batch->commit({{}, log_index{1}}).has_value());
  disk.close();
  // Opening writes the replayed log to a table file.
  disk.open();
  disk.close();
  int damaged = 0;
  auto paths = files(disk.database(), ".sst");
  std::ranges::copy(files(disk.tables(), ".sst"), std::back_inserter(paths));
  for (const auto& path : paths) {
    auto bytes = read_file(path);
    // The others hold a row or two of raft_meta.
    if (bytes.size() < 20'000)
      continue;
    ++damaged;
    // The first block, where the rows are.
    bytes[100] = static_cast<char>(bytes[100] ^ 1);
    write_file(path, bytes);
  }
  REQUIRE(damaged == 2);
  disk.open();
  const auto loaded = disk.on().logs().load(group);
  REQUIRE(!loaded.has_value());
  CHECK(loaded.error().code == errc::data_loss);
  bool refused = false;
  try {
    disk.on().tables().reader(group)->get(table_id::config, "0");
  } catch (const state_error& e) {
    refused = e.reason.code == errc::data_loss;
  }
  CHECK(refused);
  const auto exported = test::export_rows(
    disk.on().tables(), group, [](auto, auto, auto) { return true; });
  CHECK(!exported.has_value());
}

TEST_CASE("a flipped bit in the middle of the write-ahead log stops the open") {
  for (const std::size_t size : {10, 5000, 50'000}) {
    CAPTURE(size);
    node_disk disk;
    const auto wal = write_wal(disk, size);
    const auto sound = read_file(wal);
    const auto end = sound.find_last_not_of('\0') + 1;
    std::mt19937_64 random{size};
    // Damage to the last record cannot be told from a torn write.
    const auto last_record = size + 200;
    for (int i = 0; i < 20; ++i) {
      auto bytes = sound;
      const auto at
        = static_cast<std::size_t>(random()) % (end - last_record);
      CAPTURE(at);
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
      write_file(wal, bytes);
      const auto opened = disk.try_open();
      REQUIRE(!opened.has_value());
      CHECK(opened.error().code == errc::data_loss);
      CHECK(opened.error().message.find(wal.string()) != std::string::npos);
      CHECK_MESSAGE(read_file(wal) == bytes, "a refused file is left alone");
      disk.close();
    }
    write_file(wal, sound);
    disk.open();
    CHECK(disk.on().logs().load(group)->last == log_index{10});
  }
}

TEST_CASE("a torn end of the write-ahead log is cut off, nothing more") {
  for (const std::size_t size : {10, 5000, 50'000}) {
    CAPTURE(size);
    std::mt19937_64 random{size};
    for (int i = 0; i < 10; ++i) {
      node_disk disk;
      const auto wal = write_wal(disk, size);
      auto bytes = read_file(wal);
      const auto end = bytes.find_last_not_of('\0') + 1;
      const auto at = end - 1 - static_cast<std::size_t>(random()) % size;
      CAPTURE(at);
      switch (i % 3) {
        case 0: // the file ends there
          bytes.resize(at);
          break;
        case 1: // what lies behind never reached the disk
          std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    bytes.end(), '\0');
          break;
        default: // one sector did not
          bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
      }
      write_file(wal, bytes);
      disk.open();
      CHECK(disk.on().logs().load(group)->last == log_index{9});
      append(disk.on(), 10, 12);
      disk.lose_power(unsynced::lost, 0);
      disk.open();
      CHECK(disk.on().logs().load(group)->last == log_index{12});
    }
  }
}

TEST_CASE("an interrupted import leaves the old tables or the new ones") {
  // The power goes at each sync of files and names that an import makes.
  for (std::uint64_t call = 1; call <= 12; ++call) {
    CAPTURE(call);
    node_disk disk;
    disk.open();
    const auto batch = test::begin(disk.on().tables(), group);
    for (int i = 10; i < 20; ++i)
      batch->put(table_id::config, std::to_string(i), "old");
    REQUIRE(batch->commit({{}, log_index{7}}).has_value());
    REQUIRE(disk.on().tables().flush().has_value());
    disk.disk().fail(call % 2 ? disk_call::sync : disk_call::sync_directory,
                     (call + 1) / 2, disk_fault::io_error);
    bool finished = false;
    {
      const auto importer = disk.on().tables().import_group(group);
      for (int i = 15; i < 40; ++i)
        REQUIRE(importer->add(table_id::config, std::to_string(i), "new"));
      finished = importer->finish({{term_id{1}, log_index{9}}, {}}).has_value();
      disk.disk().power_off(unsynced::torn, call);
    }
    disk.close();
    disk.open();
    const auto at = disk.on().tables().applied(group);
    REQUIRE(at.has_value());
    CHECK((at->index == log_index{7} || at->index == log_index{9}));
    if (finished)
      CHECK(at->index == log_index{9});
    const auto imported = disk.on().tables().imported(group);
    REQUIRE(imported.has_value());
    CHECK((imported->last == *at || imported->last == raft::log_position{}));
    const bool is_new = at->index == log_index{9};
    std::string keys;
    REQUIRE(test::export_rows(
      disk.on().tables(), group, [&](table_id, std::string_view key, std::string_view value) {
        keys += key;
        CHECK(value == (is_new ? "new" : "old"));
        return true;
      }));
    CHECK(keys.starts_with(is_new ? "1516" : "1011"));
    CHECK(keys.size() == (is_new ? 50 : 20));
  }
}

TEST_CASE("a failed sync stops the log for good, a full disk too") {
  for (const bool full : {false, true}) {
    CAPTURE(full);
    node_disk disk;
    disk.open();
    append(disk.on(), 1, 3);
    if (full)
      disk.disk().limit_space(100);
    else
      disk.disk().fail(disk_call::sync, 1, disk_fault::io_error);
    const raft::append_batch batch{
      group, {}, {make_entry(4, 2, std::string(1000, 'x'))}};
    const auto failed = disk.on().logs().append({&batch, 1});
    REQUIRE(!failed.has_value());
    CHECK(failed.error().code == errc::unknown);
    disk.disk().lift_limit();
    for (int i = 0; i < 3; ++i) {
      const auto refused = disk.on().logs().append({&batch, 1});
      REQUIRE(!refused.has_value());
      CHECK(refused.error().code == errc::failed_precondition);
    }
    const auto cut = disk.on().logs().compact(
        group, {{term_id{2}, log_index{2}}, {}});
    REQUIRE(!cut.has_value());
    CHECK(cut.error().code == errc::failed_precondition);
    disk.lose_power(unsynced::lost, 0);
    disk.open();
    CHECK(disk.on().logs().load(group)->last == log_index{3});
    append(disk.on(), 4, 4);
  }
}

TEST_CASE("an append makes exactly one sync, a commit none") {
  node_disk disk;
  disk.open();
  // The first write makes the log file's name durable too.
  append(disk.on(), 1, 1);
  const auto before = disk.disk().calls(disk_call::sync);
  for (std::uint64_t i = 2; i <= 11; ++i)
    append(disk.on(), i, i);
  CHECK(disk.disk().calls(disk_call::sync) == before + 10);
  std::vector<raft::append_batch> many;
  for (std::uint64_t g = 10; g < 50; ++g)
    many.push_back({partition_id{g}, {}, {make_entry(1, 1, "x")}});
  REQUIRE(disk.on().logs().append(many).has_value());
  CHECK(disk.disk().calls(disk_call::sync) == before + 11);
  REQUIRE(test::begin(disk.on().tables(), group)->commit({{}, log_index{1}}));
  CHECK(disk.disk().calls(disk_call::sync) == before + 11);
}

} // namespace muster::storage
