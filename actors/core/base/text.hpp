#pragma once

#include <charconv>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>

/// Small things about texts that every layer needs. Pure, any thread.
namespace muster {

/// Hash over strings and views alike, for look-ups without a copy.
struct text_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};

/// Found by views, too.
template <class Value>
using text_map
  = std::unordered_map<std::string, Value, text_hash, std::equal_to<>>;

/// The number that all of `text` is, without blanks or a plus sign; nothing if
/// it is none, or does not fit into `Number`.
template <class Number>
std::optional<Number> parse_number(std::string_view text) noexcept {
  Number value{};
  const auto* end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, value);
  if (fault != std::errc{} || stop != end)
    return std::nullopt;
  return value;
}

} // namespace muster
