#pragma once

#include <string>
#include <vector>

#include "actors/node/settings/settings.hpp"
#include "actors/node/settings/source.hpp"

/// The arguments of musterd.
namespace muster {

struct command_line {
  start_mode mode = start_mode::serve;
  std::string text; ///< for `start_mode::print`
  std::string file; ///< of --config; empty = none given
  /// Weakest first: flags, then `--a.b=c` and `-Da.b=c`.
  source::entries entries;
  std::vector<std::string> warnings;
};

/// `invalid_argument` for what is not an argument of musterd.
result<command_line> parse_command_line(int argc, const char* const* argv);

} // namespace muster
