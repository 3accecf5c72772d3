#pragma once

#include <string_view>

#include "actors/core/base/clock.hpp"
#include "actors/core/naming/view.hpp"

/// Heart-beat settings that an instance carries in its metadata.
namespace muster::nacos {

struct heartbeat {
  milliseconds interval{5000};
  milliseconds timeout{15000};      ///< then unhealthy
  milliseconds remove_after{30000}; ///< then gone
};

/// From `preserved.heart.beat.interval`, `preserved.heart.beat.timeout` and
/// `preserved.ip.delete.timeout` (ms); a value that is no whole number counts
/// as absent. Source: nacos-http 3.7, nacos-grpc 7.4.
heartbeat heartbeat_times(const naming::metadata_map& metadata);

} // namespace muster::nacos
