#include "protocols/nacos/codec/json_text.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "protocols/nacos/codec/utf8.hpp"

namespace muster::nacos {

namespace {

void append_escaped(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(c);
  out += '\\';
  switch (c) {
    case '"':
    case '\\':
      out += c;
      return;
    case '\n':
      out += 'n';
      return;
    case '\r':
      out += 'r';
      return;
    case '\t':
      out += 't';
      return;
    default:
      out += "u00";
      out += digits[code >> 4];
      out += digits[code & 0xF];
  }
}

} // namespace

void append_json(std::string& out, std::string_view text) {
  out += '"';
  std::size_t kept = 0; // text[0, kept) is in `out` already
  std::size_t i = 0;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
    const auto length
      = plain ? 1 : c < 0x80 ? 0 : first_code_point(text.substr(i)).length;
    if (length > 0) {
      i += length;
      continue;
    }
    out.append(text, kept, i - kept);
    if (c < 0x80)
      append_escaped(out, text[i]);
    else
      out += "\xEF\xBF\xBD";
    kept = ++i;
  }
  out.append(text, kept, i - kept);
  out += '"';
}

void append_json(std::string& out, double number) {
  if (!std::isfinite(number))
    number = 0;
  std::array<char, 32> digits{};
  const auto end
    = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  const std::string_view text{digits.data(),
                              static_cast<std::size_t>(end - digits.data())};
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos)
    out += ".0";
}

} // namespace muster::nacos
