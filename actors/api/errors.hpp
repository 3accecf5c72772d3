#pragma once

#include <caf/fwd.hpp>

#include "actors/core/base/result.hpp"

/// The bridge between `muster::error` and CAF's error type.
namespace muster::api {

caf::error to_caf(const error& e);

/// CAF's own errors become: dead or unreachable receiver -> `unavailable`,
/// time-out -> `deadline_exceeded`, anything else -> `internal`.
error from_caf(const caf::error& e);

/// The same for a write: what CAF says in place of an answer is `unknown`, since
/// the write may have happened.
error write_error(const caf::error& e);

/// Whether one of our actors answered so. Else CAF says that no answer came: a
/// write may have happened.
bool is_ours(const caf::error& e);

} // namespace muster::api
