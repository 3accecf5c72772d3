#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

/// JSON values appended to a text.
namespace muster::nacos {

/// A JSON string, quotes included: `"`, `\` and control characters escaped,
/// everything else as it is (non-ASCII raw, nacos-http 1.11). Bytes that are no
/// UTF-8 become U+FFFD, so that the document stays valid.
void append_json(std::string& out, std::string_view text);
inline void append_json(std::string& out, const char* text) {
  append_json(out, std::string_view{text});
}
inline void append_json(std::string& out, const std::string& text) {
  append_json(out, std::string_view{text});
}

/// A double as Java prints it: shortest form, `1.0` for whole numbers; what
/// JSON has no number for becomes 0.0.
void append_json(std::string& out, double number);

void append_json(std::string& out, std::same_as<bool> auto value) {
  out += value ? "true" : "false";
}

void append_json(std::string& out, std::integral auto number)
  requires(!std::same_as<decltype(number), bool>)
{
  out += std::to_string(number);
}

} // namespace muster::nacos
