#include "actors/core/base/result.hpp"

#include <array>

namespace muster {

std::string_view to_string(errc code) noexcept {
  static constexpr std::array<std::string_view, 17> names{
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
  };
  return names[static_cast<std::size_t>(code)];
}

} // namespace muster
