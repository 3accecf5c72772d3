#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/core/base/result.hpp"

/// Query strings and urlencoded forms.
/// Source: https://url.spec.whatwg.org/#application/x-www-form-urlencoded
namespace muster::common {

/// Decodes %XX and '+' (as space). Lenient as servers are: a '%' that is not
/// followed by two hex digits stays as it is. Bytes are not checked for UTF-8.
std::string url_decode(std::string_view text);
/// As `url_decode`, '+' stays (for paths).
std::string path_decode(std::string_view text);
/// Encodes all but letters, digits and "-_.*" (Java's URLEncoder), space as
/// '+'.
std::string url_encode(std::string_view text);

/// Named values in the order they came; a name may repeat. Movable; one thread
/// at a time.
///
/// What needs no decoding is kept as a view into the parsed text, the rest is
/// decoded into memory of this object: the text given to `parse` must outlive
/// it (or the next `clear`).
class params {
public:
  static constexpr std::size_t count_max = 1000;
  using entry = std::pair<std::string_view, std::string_view>;

  params() = default;
  params(params&&) noexcept = default;
  params& operator=(params&&) noexcept = default;

  /// How many pairs `parse` would add, at most (empty ones count too).
  static std::size_t count(std::string_view text) noexcept;

  /// Adds what `text` ("a=1&b=2") holds. `invalid_argument` if there would be
  /// more than `count_max` pairs; then nothing was added.
  result<void> parse(std::string_view text);
  /// Adds a pair; both are copied.
  void add(std::string_view name, std::string_view value);
  /// Forgets all pairs; keeps memory for the next ones.
  void clear() noexcept;

  /// First value of that name (case-sensitive), or nullopt.
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  /// First value of that name, or `fallback`.
  std::string_view get(std::string_view name,
                       std::string_view fallback = {}) const noexcept;
  const std::vector<entry>& all() const noexcept { return values_; }

private:
  char* room(std::size_t bytes);

  std::vector<entry> values_;
  /// Decoded text; blocks never move.
  std::vector<std::unique_ptr<char[]>> blocks_;
};

} // namespace muster::common
