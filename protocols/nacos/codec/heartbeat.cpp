#include "protocols/nacos/codec/heartbeat.hpp"

#include <charconv>
#include <cstdint>

namespace muster::nacos {

namespace {

milliseconds read(const naming::metadata_map& metadata, std::string_view key,
                  milliseconds fallback) {
  const auto it = metadata.find(key);
  if (it == metadata.end())
    return fallback;
  const std::string_view text = it->second;
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, value);
  if (fault != std::errc{} || stop != end)
    return fallback;
  return milliseconds{value};
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
