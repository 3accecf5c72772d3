#include "protocols/nacos/codec/heartbeat.hpp"

#include <cstdint>

#include "actors/core/base/text.hpp"

namespace muster::nacos {

namespace {

milliseconds read(const naming::metadata_map& metadata, std::string_view key,
                  milliseconds fallback) {
  const auto it = metadata.find(key);
  if (it == metadata.end())
    return fallback;
  const auto value = parse_number<std::int64_t>(it->second);
  return value ? milliseconds{*value} : fallback;
}

} // namespace

heartbeat heartbeat_times(const naming::metadata_map& metadata) {
  const heartbeat usual;
  if (metadata.empty())
    return usual;
  return {read(metadata, "preserved.heart.beat.interval", usual.interval),
          read(metadata, "preserved.heart.beat.timeout", usual.timeout),
          read(metadata, "preserved.ip.delete.timeout", usual.remove_after)};
}

} // namespace muster::nacos
