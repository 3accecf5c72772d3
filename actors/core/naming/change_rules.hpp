#pragma once

#include <memory>
#include <variant>

#include "actors/core/model/apply.hpp"
#include "actors/core/naming/service_core.hpp"

/// Durable changes of a service, seen by someone who knows its ephemeral side
/// too. Apply knows the tables only.
namespace muster::naming {

/// Decided without the log.
using decided = model::outcome;
using command_ptr = std::shared_ptr<const pb::Command>;

/// What to do with a command for this service: the outcome, where it can be
/// told already (kind conflict, exists, unknown, not empty), or the command to
/// propose, completed by what is known here (the kind). May `forget` the
/// service, when all there is to remove is a fixed kind. `invalid_argument` for
/// a command that is not about this service.
std::variant<decided, command_ptr>
prepare_change(service_core& core, const command_ptr& command, steady_time now);

/// Whether applying the command may fix the service's kind.
bool fixes_kind(const pb::Command& command);

} // namespace muster::naming
