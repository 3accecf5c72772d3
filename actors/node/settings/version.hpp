#pragma once

#include <string_view>

namespace muster {

/// "0.1.0".
std::string_view version();

/// "musterd 0.1.0 (1a2b3c4)": version and the commit it was built from.
std::string_view version_text();

} // namespace muster
