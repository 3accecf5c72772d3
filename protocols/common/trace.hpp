#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "actors/api/messages.hpp"

/// W3C trace context. Source: https://www.w3.org/TR/trace-context/ (level 1).
namespace muster::common {

/// Parses a `traceparent` header. Nothing if it is malformed, of the forbidden
/// version ff, or has an all-zero id; then the standard wants a new trace.
std::optional<api::trace_context> parse_traceparent(std::string_view header);

/// "00-<trace>-<parent>-<flags>".
std::string format_traceparent(const api::trace_context& trace);

/// A new trace with random ids, not sampled. Ids are for telling requests
/// apart, they are no secrets.
api::trace_context new_trace();
/// The same trace with a new parent id: what we hand on.
api::trace_context child_of(const api::trace_context& trace);

/// Whether one came in (all zero = none).
bool has_trace(const api::trace_context& trace) noexcept;

} // namespace muster::common
