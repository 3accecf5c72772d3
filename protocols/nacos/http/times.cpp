#include "protocols/nacos/http/times.hpp"

#include <array>
#include <ctime>

namespace muster::nacos {

std::string iso_time(wall_time when) {
  const auto ms = to_unix_ms(when);
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  const auto n = std::strftime(text.data(), text.size(), "%FT%T", &utc);
  auto millis = std::to_string(1000 + ms % 1000);
  millis.front() = '.';
  return std::string{text.data(), n} + millis + "+00:00";
}

} // namespace muster::nacos
