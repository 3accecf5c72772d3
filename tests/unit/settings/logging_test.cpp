#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include <spdlog/spdlog.h>

#include "actors/node/settings/logging.hpp"
#include "tests/unit/settings/temp_file.hpp"

using namespace muster;
using test::temp_file;

namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    lines.push_back(line);
  return lines;
}

/// Gives the test program its own logger back.
struct keep_logger {
  std::shared_ptr<spdlog::logger> kept = spdlog::default_logger();
  ~keep_logger() { spdlog::set_default_logger(kept); }
};

} // namespace

TEST_CASE("JSON lines keep any bytes in one string") {
  const keep_logger restore;
  const temp_file file(".log", "");
  REQUIRE(logging::start({.level = "info", .format = "json",
                          .file = file.path()}));
  spdlog::info("quote \" backslash \\ line\nend \x01");
  spdlog::debug("not shown");
  logging::flush();
  const auto lines = lines_of(file.path());
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with(R"({"time":"20)"));
  CHECK(lines[0].find(R"("level":"info")") != std::string::npos);
  CHECK(lines[0].ends_with(
    R"("message":"quote \" backslash \\ line\u000aend \u0001"})"));
}

TEST_CASE("plain lines stay one line each; the level changes while running") {
  const keep_logger restore;
  const temp_file file(".log", "");
  REQUIRE(logging::start({.level = "error", .format = "plain",
                          .file = file.path()}));
  CHECK(logging::level() == "error");
  spdlog::info("not shown");
  REQUIRE(logging::set_level("debug"));
  CHECK(logging::level() == "debug");
  spdlog::debug("forged\n2026-01-01 entry");
  logging::flush();
  const auto lines = lines_of(file.path());
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].ends_with("debug   forged 2026-01-01 entry"));
  REQUIRE(logging::set_level("info"));
}

TEST_CASE("bad log settings are errors") {
  const keep_logger restore;
  const temp_file no_folder(".log", "");
  CHECK(!logging::set_level("loud"));
  CHECK(!logging::start({.level = "info", .format = "plain",
                         .file = no_folder.path() + "/x.log"}));
}
