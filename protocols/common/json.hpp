#pragma once

#include <cstddef>
#include <string_view>

#include <boost/json/value.hpp>

#include "actors/core/base/result.hpp"

/// Reading JSON that strangers sent.
namespace muster::common {

struct json_limits {
  std::size_t text_bytes_max = 16 << 20;
  std::size_t depth_max = 64;
  /// Memory that the value and its parsing may take, bytes.
  std::size_t memory_bytes_max = 64 << 20;
};

/// Parses exactly one JSON value. Of duplicate keys the last one wins; numbers
/// follow Boost.JSON (int64, uint64, double). `invalid_argument` for bad JSON,
/// bad UTF-8, and anything beyond a limit. Never throws.
result<boost::json::value> parse_json(std::string_view text,
                                      const json_limits& limits = {});

} // namespace muster::common
