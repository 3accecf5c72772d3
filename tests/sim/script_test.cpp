// S3: every script of tests/sim/scripts, and that a script can fail.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "tests/sim/script/script.hpp"

using muster::sim::script::play;

namespace {

std::set<std::filesystem::path> scripts() {
  std::set<std::filesystem::path> found;
  for (const auto& f : std::filesystem::directory_iterator(MUSTER_SCRIPTS))
    if (f.path().extension() == ".txt")
      found.insert(f.path());
  return found;
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace

TEST_CASE("S3: a group does what the scripts say") {
  const auto* rewrite = std::getenv("MUSTER_REWRITE_SCRIPTS");
  std::size_t commands = 0;
  for (const auto& file : scripts()) {
    const auto text = content(file);
    const auto told = play("scripts/" + file.filename().string(), text);
    commands += told.commands;
    if (rewrite && !told.failed) {
      std::ofstream(file, std::ios::binary) << told.rewritten;
      continue;
    }
    CHECK_MESSAGE(told.difference.empty(), told.difference);
  }
  CHECK(scripts().size() >= 60);
  CHECK(commands > 700);
}

TEST_CASE("a script that expects something else is told where") {
  const auto told = play("a.txt", "group 1\nstart\n  1 leads t1\n");
  CHECK(told.difference.starts_with(
      "a.txt:3:\nexpected: 1 leads t1\ngot:      1 stands in t1\n"));
  CHECK_FALSE(told.failed);
  CHECK(told.rewritten.find("  1 leads t1\n  1 stores 1@1\n")
        != std::string::npos);
  CHECK(play("a.txt", told.rewritten).difference == "");
  CHECK(play("a.txt", told.rewritten + "  and more\n").difference != "");
}

TEST_CASE("a script that makes no sense, or breaks a promise, ends") {
  CHECK(play("a.txt", "leap 1\n").difference
        == "a.txt:1: leap 1: "
           "no such command");
  CHECK(play("a.txt", "group 1\ntick 1 5\n").failed);
  CHECK(play("a.txt", "group 1\nstart\ndeliver 1->2\n").failed);
  // Two groups that know nothing of each other both write a first entry.
  const auto told = play("a.txt", "group 1 2\n"
                                  "disk 1 log 1{1}\n"
                                  "disk 2 term 1 log 1{2}\n"
                                  "quietly start\n");
  CHECK(told.failed);
  CHECK(told.difference.ends_with("2 applies 1@1{2}, another one applied "
                                  "1@1{1}"));
}
