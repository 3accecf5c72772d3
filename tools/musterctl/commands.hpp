#pragma once

#include <functional>
#include <string>

#include "actors/core/base/result.hpp"

namespace CLI {
class App;
}

/// The commands of musterctl, one file each.
namespace muster::ctl {

/// What a command line asks for: does it; -> what to print.
using action = std::function<result<std::string>()>;

/// Add a command to the program; when it is the one that was given, `chosen` is
/// set. Both references outlive the parse.
void add_tls(CLI::App& app, action& chosen);
void add_member(CLI::App& app, action& chosen);

/// Parses and does it. Prints to standard output, errors to standard error.
/// -> exit code: 0, 1 if it could not be done, 2 for a wrong command line
int run(int argc, const char* const* argv);

} // namespace muster::ctl
