#pragma once

#include "actors/core/base/result.hpp"
#include "muster/command.pb.h"

namespace muster::model {

/// Whether a command may stand in a log. To be asked before it is appended:
/// what is in the log must parse on every replica for ever, and protobuf
/// refuses to read a text that is not UTF-8, though it writes one.
///
/// `invalid_argument` naming the field: no body, no key where one is needed, or
/// a text that is not UTF-8. Rules of single protocols are theirs. Pure, any
/// thread.
result<void> check_command(const pb::Command& command);

} // namespace muster::model
