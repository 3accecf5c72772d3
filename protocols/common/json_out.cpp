#include "protocols/common/json_out.hpp"

#include <array>
#include <cmath>

namespace muster::common {

namespace {

/// Per byte: 0 = goes as it is, 'u' = \u00XX, else the letter after '\'.
constexpr auto escapes = [] {
  std::array<char, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c)
    table[c] = 'u';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

} // namespace

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const char escape = escapes[byte];
    if (escape == 0)
      continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    out += '\\';
    out += escape;
    if (escape == 'u') {
      out += "00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  out.append(text, plain);
  out += '"';
}

json_out& json_out::value(double n) {
  if (!std::isfinite(n))
    return value(std::isnan(n) ? "NaN" : n > 0 ? "Infinity" : "-Infinity");
  std::array<char, 32> digits{};
  const auto* end =
      std::to_chars(digits.data(), digits.data() + digits.size(), n).ptr;
  std::string_view text{digits.data(),
                        static_cast<std::size_t>(end - digits.data())};
  raw(text);
  if (text.find_first_of(".e") == std::string_view::npos)
    out_ += ".0";
  return *this;
}

} // namespace muster::common
