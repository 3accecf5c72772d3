#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "storage/rocksdb/data_dir.hpp"
#include "tests/support/temporary_directory.hpp"

namespace muster::storage {
namespace {

namespace fs = std::filesystem;
using test::temporary_directory;

data_dir_options options_for(const fs::path& directory) {
  return {directory, {node_id{42}, "blue", 4}, {}, {}, {}};
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream{path} << text;
}

std::string read(const fs::path& path) {
  std::ifstream in{path};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// Opens and expects a refusal that names the file.
error refusal(const data_dir_options& options, const fs::path& file) {
  auto opened = data_dir::open(options);
  REQUIRE(!opened.has_value());
  CHECK_MESSAGE(opened.error().message.starts_with(file.string() + ": "),
                opened.error().message);
  return opened.error();
}

} // namespace

TEST_CASE("a data directory is made private and keeps its first identity") {
  const temporary_directory tmp;
  const auto path = tmp.path() / "deep" / "data";
  {
    const auto made = data_dir::open(options_for(path));
    REQUIRE_MESSAGE(made.has_value(), made.error().message);
    CHECK(made->owner() == identity{node_id{42}, "blue", 4});
    CHECK(made->database() == path / "db");
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0700);
    CHECK(read(path / "IDENTITY")
          == "muster data directory\nformat 1\nnode 42\ncluster blue\npartitions 4\n");
  }
  auto other = options_for(path);
  other.fresh = {node_id{7}, "green", 8};
  const auto opened = data_dir::open(other);
  REQUIRE(opened.has_value());
  CHECK(opened->owner() == identity{node_id{42}, "blue", 4});
}

TEST_CASE("a data directory of another node, cluster or division is refused") {
  const temporary_directory tmp;
  const auto file = tmp.path() / "IDENTITY";
  REQUIRE(data_dir::open(options_for(tmp.path())).has_value());
  auto options = options_for(tmp.path());
  options.expected_node = node_id{42};
  options.expected_cluster = "blue";
  CHECK(data_dir::open(options).has_value());
  options.expected_node = node_id{7};
  auto refused = refusal(options, file);
  CHECK(refused.code == errc::failed_precondition);
  CHECK(refused.message.ends_with("belongs to node 42, not to node 7"));
  options.expected_node = {};
  options.expected_cluster = "green";
  refused = refusal(options, file);
  CHECK(refused.code == errc::failed_precondition);
  CHECK(refused.message.ends_with("belongs to cluster blue, not to cluster "
                                  "green"));
  options.expected_cluster = {};
  options.expected_partitions = 4;
  CHECK(data_dir::open(options).has_value());
  options.expected_partitions = 5;
  refused = refusal(options, file);
  CHECK(refused.code == errc::failed_precondition);
  CHECK(refused.message.ends_with("was made with 4 partitions, not with 5; "
                                  "storage.partitions cannot be changed"));
}

TEST_CASE("an IDENTITY that is newer or does not parse is refused") {
  const temporary_directory tmp;
  const auto file = tmp.path() / "IDENTITY";
  const std::string head = "muster data directory\n";
  struct row {
    const char* name;
    std::string text;
    errc code;
  };
  const row rows[] = {
    {"newer", head + "format 2\nanything else\n", errc::failed_precondition},
    {"empty", "", errc::data_loss},
    {"other file", "hello\n", errc::data_loss},
    {"no format", head, errc::data_loss},
    {"format 0", head + "format 0\nnode 1\ncluster a\n", errc::data_loss},
    {"format no number", head + "format x\n", errc::data_loss},
    {"cut", head + "format 1\nnode 42", errc::data_loss},
    {"node 0", head + "format 1\nnode 0\ncluster a\n", errc::data_loss},
    {"node too big", head + "format 1\nnode 99999999999999999999\ncluster a\n",
     errc::data_loss},
    {"no cluster", head + "format 1\nnode 1\n", errc::data_loss},
    {"no partitions", head + "format 1\nnode 1\ncluster a\n", errc::data_loss},
    {"0 partitions", head + "format 1\nnode 1\ncluster a\npartitions 0\n",
     errc::data_loss},
    {"bad cluster", head + "format 1\nnode 1\ncluster a b\n", errc::data_loss},
    {"more lines", head + "format 1\nnode 1\ncluster a\npartitions 1\nx\n", errc::data_loss},
    {"huge", head + std::string(100'000, 'x'), errc::data_loss},
  };
  for (const auto& r : rows) {
    CAPTURE(r.name);
    write(file, r.text);
    CHECK(refusal(options_for(tmp.path()), file).code == r.code);
    CHECK(read(file) == r.text);
  }
}

TEST_CASE("existing data without an IDENTITY is refused and left alone") {
  const temporary_directory tmp;
  write(tmp.path() / "something", "x");
  const auto refused
    = refusal(options_for(tmp.path()), tmp.path() / "IDENTITY");
  CHECK(refused.code == errc::failed_precondition);
  CHECK(std::distance(fs::directory_iterator{tmp.path()}, {}) == 1);
}

TEST_CASE("a first start that was cut off is finished by the next one") {
  const temporary_directory tmp;
  write(tmp.path() / "LOCK", "");
  write(tmp.path() / "IDENTITY.tmp", "muster da");
  const auto opened = data_dir::open(options_for(tmp.path()));
  REQUIRE(opened.has_value());
  CHECK(opened->owner().node == node_id{42});
}

TEST_CASE("a data directory in use is refused, in this process and another") {
  const temporary_directory tmp;
  auto held = data_dir::open(options_for(tmp.path()));
  REQUIRE(held.has_value());
  CHECK(refusal(options_for(tmp.path()), tmp.path() / "LOCK").code
        == errc::unavailable);
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto opened = data_dir::open(options_for(tmp.path()));
    const bool refused
      = !opened && opened.error().message.find("in use") != std::string::npos;
    ::_exit(refused ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  // The lock goes with its owner, moved or not.
  { const auto moved = std::move(*held); }
  CHECK(data_dir::open(options_for(tmp.path())).has_value());
}

TEST_CASE("paths and identities that cannot be used are refused") {
  const temporary_directory tmp;
  write(tmp.path() / "file", "x");
  for (const auto& path :
       {fs::path{}, tmp.path() / "file", tmp.path() / "file" / "below"}) {
    CAPTURE(path.string());
    const auto opened = data_dir::open(options_for(path));
    REQUIRE(!opened.has_value());
    CHECK(opened.error().code == errc::invalid_argument);
  }
  auto options = options_for(tmp.path() / "new");
  for (const auto& id :
       {identity{node_id{0}, "a"}, identity{node_id{1}, ""},
        identity{node_id{1}, "a\nb"},
        identity{node_id{1}, std::string(129, 'a')}}) {
    options.fresh = id;
    const auto opened = data_dir::open(options);
    REQUIRE(!opened.has_value());
    CHECK(opened.error().code == errc::invalid_argument);
  }
}

TEST_CASE("a note is kept beside the data, and damage to it is found") {
  const temporary_directory root;
  const auto directory = root.path() / "data";
  {
    const auto dir = data_dir::open(options_for(directory));
    REQUIRE(dir);
    CHECK_FALSE(dir->load_note("NOTE")->has_value());
    REQUIRE(dir->store_note("NOTE", "first"));
    REQUIRE(dir->store_note("NOTE", std::string("sec\0nd\n", 7)));
  }
  const auto dir = data_dir::open(options_for(directory));
  REQUIRE(dir);
  CHECK(**dir->load_note("NOTE") == std::string("sec\0nd\n", 7));
  auto bytes = read(directory / "NOTE");
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    auto damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    write(directory / "NOTE", damaged);
    const auto found = dir->load_note("NOTE");
    REQUIRE_FALSE(found);
    CHECK(found.error().code == errc::data_loss);
  }
  write(directory / "NOTE", "");
  CHECK_FALSE(dir->load_note("NOTE"));
  CHECK_FALSE(dir->store_note("NOTE", std::string(2U << 20U, 'x')));
}

} // namespace muster::storage
