#pragma once

#include "protocols/common/route.hpp"

/// Muster's own HTTP API (README.md) as one product of the listener.
namespace muster::admin {

/// Context path `/muster`. Views into static data.
common::product http_product();

} // namespace muster::admin
