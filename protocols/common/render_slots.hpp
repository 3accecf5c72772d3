#pragma once

#include <cstddef>

/// Which slot of a snapshot's `render_cache` holds which answer. A number
/// stands for one rendering only, over all protocols: who keeps another one
/// takes a number that is free here (there are `render_cache::slots`).
namespace muster::common {

/// Slots of `config_snapshot::rendered`.
namespace config_slot {
/// The formal version's content as a whole HTTP response. Kept only for configs
/// without grays: then every client gets the same.
inline constexpr std::size_t http_content = 0;
/// The formal version as a whole gRPC message, under the same condition.
inline constexpr std::size_t grpc_content = 3;
} // namespace config_slot

/// Slots of `service_view::rendered`.
namespace service_slot {
/// All enabled hosts as a whole HTTP response.
inline constexpr std::size_t http_list = 0;
/// All enabled hosts as the JSON that gRPC answers and pushes carry.
inline constexpr std::size_t grpc_list = 3;
} // namespace service_slot

} // namespace muster::common
