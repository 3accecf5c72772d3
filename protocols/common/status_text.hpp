#pragma once

#include <string_view>

namespace muster::http {

/// Reason phrase of a status (RFC 9110, section 15); "Unknown" if it has none.
std::string_view status_text(unsigned status) noexcept;

} // namespace muster::http
