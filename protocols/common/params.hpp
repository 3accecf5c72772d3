#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/core/base/result.hpp"

/// Query strings and urlencoded forms.
namespace muster::common {

/// Decodes %XX and '+' (as space). Lenient as servers are: a '%' that is not
/// followed by two hex digits stays as it is. Bytes are not checked for UTF-8.
std::string url_decode(std::string_view text);
/// As `url_decode`, '+' stays (for paths).
std::string path_decode(std::string_view text);
/// Encodes all but letters, digits and "-_.*" (Java's URLEncoder), space as '+'.
std::string url_encode(std::string_view text);

/// Named values in the order they came; a name may repeat. Value type.
class params {
public:
  static constexpr std::size_t count_max = 1000;

  /// Adds what `text` ("a=1&b=2") holds. `invalid_argument` above `count_max`
  /// pairs; then nothing was added.
  result<void> parse(std::string_view text);
  void add(std::string name, std::string value);

  /// First value of that name (case-sensitive), or nullopt.
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  /// First value of that name, or `fallback`.
  std::string_view get(std::string_view name,
                       std::string_view fallback = {}) const noexcept;
  const std::vector<std::pair<std::string, std::string>>& all() const noexcept {
    return values_;
  }

private:
  std::vector<std::pair<std::string, std::string>> values_;
};

} // namespace muster::common
