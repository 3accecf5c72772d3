#pragma once

#include <string>

#include "actors/core/base/clock.hpp"

namespace muster::nacos {

/// `2025-09-01T10:00:00.000+00:00`: as the framework writes moments.
std::string iso_time(wall_time when);

} // namespace muster::nacos
