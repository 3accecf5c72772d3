#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

/// Writing JSON fast, for answers that are made often.
namespace muster::common {

/// Appends `text` as a JSON string with its quotes. What is not UTF-8 is passed
/// as it is; '"', '\\' and control characters are escaped.
void append_json_string(std::string& out, std::string_view text);

/// Appends JSON to a string that the caller owns. Commas are put in by itself;
/// that brackets match is the caller's affair.
///
///     json_out(out).object().member("code", 0).member("data", "ok").end();
class json_out {
public:
  explicit json_out(std::string& out) : out_(out) {}

  json_out& object() { return open('{', '}'); }
  json_out& array() { return open('[', ']'); }
  /// Closes the innermost object or array. At most 64 levels.
  json_out& end() {
    out_ += (kinds_ & 1) != 0 ? ']' : '}';
    kinds_ >>= 1;
    comma_ = true;
    return *this;
  }
  json_out& key(std::string_view name) {
    next();
    append_json_string(out_, name);
    out_ += ':';
    comma_ = false;
    return *this;
  }

  json_out& value(std::string_view text) {
    next();
    append_json_string(out_, text);
    return *this;
  }
  json_out& value(const char* text) { return value(std::string_view{text}); }
  json_out& value(std::same_as<bool> auto flag) {
    return raw(flag ? "true" : "false");
  }
  json_out& value(std::nullptr_t) { return raw("null"); }
  template <class Number>
  requires(std::integral<Number> && !std::same_as<Number, bool>)
      json_out& value(Number n) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
    return raw({digits, static_cast<std::size_t>(end - digits)});
  }
  /// As Java writes doubles: always with a fraction (1.0). NaN and infinities,
  /// which JSON does not have, are written as strings, as Jackson does.
  json_out& value(double n);
  /// Something that is JSON already.
  json_out& raw(std::string_view json) {
    next();
    out_ += json;
    return *this;
  }

  template <class T>
  json_out& member(std::string_view name, const T& v) {
    return key(name).value(v);
  }
  json_out& member_raw(std::string_view name, std::string_view json) {
    return key(name).raw(json);
  }

private:
  json_out& open(char bracket, char closing) {
    next();
    out_ += bracket;
    kinds_ = (kinds_ << 1) | (closing == ']' ? 1u : 0u);
    comma_ = false;
    return *this;
  }
  void next() {
    if (comma_)
      out_ += ',';
    comma_ = true;
  }

  std::string& out_;
  /// Open brackets, innermost in the lowest bit; 1 = array.
  unsigned long long kinds_ = 0;
  bool comma_ = false;
};

} // namespace muster::common
