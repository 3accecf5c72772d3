#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Interaction scripts: a story of a Raft group, told by commands, with what
/// has to come of each written below it (reliability.md, S3).
///
/// A line that begins with `#` is a comment, one that begins with two blanks is
/// expected of the command above, an empty one is nothing, all others are
/// commands; tests/sim/README.md lists them.
namespace muster::sim::script {

struct outcome {
  std::size_t commands = 0;
  /// The first place where something else came than was expected, or where the
  /// script could not go on; empty = none.
  std::string difference;
  /// It broke off: a broken promise or a command that makes no sense.
  bool failed = false;
  /// The script with what really came.
  std::string rewritten;
};

/// Plays a script from its first command. `name` is for `difference` only.
outcome play(std::string_view name, std::string_view text);

} // namespace muster::sim::script
