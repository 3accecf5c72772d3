#include <cstdio>

#include <CLI/CLI.hpp>

#include "tools/musterctl/commands.hpp"

namespace muster::ctl {

namespace {

constexpr int not_done = 1;
constexpr int wrong_command_line = 2;

} // namespace

int run(int argc, const char* const* argv) {
  CLI::App app("Muster's command line: makes what a cluster needs.",
               "musterctl");
  app.require_subcommand(1);
  action chosen;
  add_tls(app, chosen);
  add_member(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : wrong_command_line;
  }
  const auto done = chosen();
  if (!done) {
    std::fprintf(stderr, "musterctl: %s\n", done.error().message.c_str());
    return not_done;
  }
  std::printf("%s", done->c_str());
  return 0;
}

} // namespace muster::ctl
