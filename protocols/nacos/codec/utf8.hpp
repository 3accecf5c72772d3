#pragma once

#include <cstddef>
#include <string_view>

/// Reading UTF-8 that comes from outside.
namespace muster::nacos {

/// A code point at the front of a text.
struct code_point {
  char32_t value = 0;
  std::size_t length = 0; ///< bytes; 0 = the first byte starts none
};

/// Refuses overlong forms, surrogates and what lies above U+10FFFF.
/// `text` must not be empty.
inline code_point first_code_point(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const auto first = byte(0);
  if (first < 0x80)
    return {first, 1};
  const std::size_t length = first < 0xC2   ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  if (length == 0 || length > text.size())
    return {};
  auto value = static_cast<char32_t>(first & (0x7F >> length));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80)
      return {};
    value = (value << 6) | static_cast<char32_t>(byte(i) & 0x3F);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < least[length] || value > 0x10FFFF
      || (value >= 0xD800 && value <= 0xDFFF))
    return {};
  return {value, length};
}

} // namespace muster::nacos
