#pragma once

#include <string_view>

#include "actors/core/base/result.hpp"
#include "actors/node/settings/settings.hpp"

/// The process-wide log: spdlog's default logger, so that code writes
/// `spdlog::info(…)`. Secrets and contents of configs never go in.
namespace muster::logging {

/// Makes the default logger: lines to stderr and, if set, to a file. `plain` is
/// text for people, `json` one object a line: time, level, message, thread.
/// `failed_precondition` if the file cannot be opened. Call once, from main.
result<void> start(const settings::log_group& options);

/// Changes the level while running; any thread. `invalid_argument` for a name
/// that is not one of trace, debug, info, warn, error, off.
result<void> set_level(std::string_view level);

/// The level's name as `set_level` takes it.
std::string_view level();

/// Writes out what is buffered; before the process ends.
void flush();

} // namespace muster::logging
