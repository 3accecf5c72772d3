#include <charconv>
#include <cstdint>
#include <optional>

#include "actors/node/settings/source.hpp"

namespace muster::source {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

void skip_blanks(std::string_view& text) {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) {
    out += static_cast<char>(static_cast<unsigned char>(byte));
  };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

/// Four hex digits at the front, taken off; nullopt if there are not four.
std::optional<std::uint32_t> take_hex4(std::string_view& text) {
  std::uint32_t code = 0;
  if (text.size() < 4)
    return std::nullopt;
  const auto* end = text.data() + 4;
  const auto [stop, error] = std::from_chars(text.data(), end, code, 16);
  if (error != std::errc{} || stop != end)
    return std::nullopt;
  text.remove_prefix(4);
  return code;
}

bool is_high_surrogate(std::uint32_t c) { return c >= 0xD800 && c < 0xDC00; }
bool is_low_surrogate(std::uint32_t c) { return c >= 0xDC00 && c < 0xE000; }

/// After "\u". Java writes a character above U+FFFF as two escapes.
bool take_unicode(std::string_view& text, std::string& out) {
  const auto first = take_hex4(text);
  if (!first || is_low_surrogate(*first))
    return false;
  if (!is_high_surrogate(*first)) {
    append_utf8(out, *first);
    return true;
  }
  if (!text.starts_with("\\u"))
    return false;
  text.remove_prefix(2);
  const auto second = take_hex4(text);
  if (!second || !is_low_surrogate(*second))
    return false;
  append_utf8(out, 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00));
  return true;
}

/// After a backslash. False for a malformed \u.
bool take_escape(std::string_view& text, std::string& out) {
  if (text.empty())
    return true;
  const char c = text.front();
  text.remove_prefix(1);
  switch (c) {
    case 'u':
      return take_unicode(text, out);
    case 't':
      out += '\t';
      return true;
    case 'n':
      out += '\n';
      return true;
    case 'r':
      out += '\r';
      return true;
    case 'f':
      out += '\f';
      return true;
    default:
      out += c;
      return true;
  }
}

/// Reads until the end, or for a key until an unescaped separator.
bool take_part(std::string_view& text, std::string& out, bool is_key) {
  while (!text.empty()) {
    const char c = text.front();
    if (is_key && (c == '=' || c == ':' || is_blank(c)))
      return true;
    text.remove_prefix(1);
    if (c != '\\')
      out += c;
    else if (!take_escape(text, out))
      return false;
  }
  return true;
}

/// Natural lines, joined where one ends in an odd number of backslashes.
class line_reader {
public:
  explicit line_reader(std::string_view text) : rest_(text) {}

  /// False at the end. Leading blanks are taken off.
  bool next(std::string& line) {
    line.clear();
    bool more = false;
    do {
      if (rest_.empty())
        return !line.empty();
      auto natural = take_natural();
      if (!more)
        first_ = count_;
      skip_blanks(natural);
      const bool comment
        = !more && (natural.starts_with('#') || natural.starts_with('!'));
      more = !comment && continues(natural);
      if (more)
        natural.remove_suffix(1);
      line += natural;
    } while (more);
    return true;
  }

  int number() const { return first_; }

private:
  std::string_view take_natural() {
    ++count_;
    const auto end = rest_.find('\n');
    auto line = rest_.substr(0, end);
    rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    return line;
  }

  static bool continues(std::string_view line) {
    const auto last = line.find_last_not_of('\\');
    const auto run = last == line.npos ? line.size() : line.size() - last - 1;
    return run % 2 == 1;
  }

  std::string_view rest_;
  int count_ = 0;
  int first_ = 0;
};

} // namespace

result<entries> parse_properties(std::string_view text,
                                 const std::string& name) {
  entries out;
  line_reader lines(text);
  std::string line;
  while (lines.next(line)) {
    if (line.empty() || line.front() == '#' || line.front() == '!')
      continue;
    entry next;
    next.place = name + ":" + std::to_string(lines.number());
    std::string_view rest = line;
    bool good = take_part(rest, next.key, true);
    skip_blanks(rest);
    if (!rest.empty() && (rest.front() == '=' || rest.front() == ':'))
      rest.remove_prefix(1);
    skip_blanks(rest);
    good = good && take_part(rest, next.value, false);
    if (!good)
      return fail(errc::invalid_argument,
                  next.place + ": malformed \\u escape");
    out.push_back(std::move(next));
  }
  return out;
}

} // namespace muster::source
