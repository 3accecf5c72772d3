// musterctl as a shell calls it: words in, an exit code out.
#include <doctest/doctest.h>

#include <filesystem>
#include <vector>

#include "tests/support/temporary_directory.hpp"
#include "tools/musterctl/commands.hpp"

using namespace muster;

TEST_CASE("musterctl: the exit code says what became of it") {
  const test::temporary_directory at;
  const auto in = at.path().string();
  const auto code = [](std::vector<const char*> words) {
    words.insert(words.begin(), "musterctl");
    return ctl::run(static_cast<int>(words.size()), words.data());
  };
  CHECK(code({"--help"}) == 0);
  CHECK(code({"tls", "init", "--help"}) == 0);
  CHECK(code({}) == 2);
  CHECK(code({"tls"}) == 2);
  CHECK(code({"tls", "init"}) == 2);
  CHECK(code({"tls", "init", "--dir", in.c_str(), "--node", "a,b"}) == 0);
  CHECK(std::filesystem::exists(at.path() / "b.key"));
  CHECK(code({"tls", "init", "--dir", in.c_str(), "--node", "b"}) == 1);
  CHECK(code({"tls", "init", "--dir", in.c_str(), "--node", "c", "--days", "x"})
        == 2);
  // Nobody listens there, which is asked before or after the command.
  CHECK(code({"member", "--node", "127.0.0.1:1", "list"}) == 1);
  CHECK(code({"member", "list", "--node", "127.0.0.1:1"}) == 1);
  CHECK(code({"member", "add", "127.0.0.1:2", "--node", "127.0.0.1:1"}) == 1);
  CHECK(code({"member", "add", "--node", "127.0.0.1:1"}) == 2);
  CHECK(code({"member", "list", "127.0.0.1:2"}) == 2);
}
