#include "protocols/common/params.hpp"

#include <algorithm>
#include <cstring>

namespace muster::common {

namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/// Decodes into `out`, which has room for `text.size()` bytes; gives the end.
char* decode_to(char* out, std::string_view text, bool plus_is_space) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%' && i + 2 < text.size()) {
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high >= 0 && low >= 0) {
        *out++ = static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    *out++ = c == '+' && plus_is_space ? ' ' : c;
  }
  return out;
}

std::string decode(std::string_view text, bool plus_is_space) {
  std::string out(text.size(), '\0');
  const char* end = decode_to(out.data(), text, plus_is_space);
  out.resize(static_cast<std::size_t>(end - out.data()));
  return out;
}

bool stays_in_url(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'
         || c == '*';
}

} // namespace

std::string url_decode(std::string_view text) {
  return decode(text, true);
}

std::string path_decode(std::string_view text) {
  return decode(text, false);
}

std::string url_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  for (const char c : text) {
    if (stays_in_url(c)) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out;
}

std::size_t params::count(std::string_view text) noexcept {
  return text.empty()
             ? 0
             : 1 + static_cast<std::size_t>(std::ranges::count(text, '&'));
}

result<void> params::parse(std::string_view text) {
  if (count(text) + values_.size() > count_max)
    return fail(errc::invalid_argument, "too many parameters");
  // One block holds all that must be decoded: decoding never makes it longer.
  char* block = nullptr;
  const auto decoded = [&](std::string_view part) -> std::string_view {
    if (part.find_first_of("%+") == std::string_view::npos)
      return part;
    if (block == nullptr) {
      const auto from = static_cast<std::size_t>(part.data() - text.data());
      block = room(text.size() - from);
    }
    char* begin = block;
    block = decode_to(block, part, true);
    return {begin, static_cast<std::size_t>(block - begin)};
  };
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('&', begin), text.size());
    const auto pair = text.substr(begin, end - begin);
    begin = end + 1;
    if (pair.empty())
      continue;
    const auto equals = pair.find('=');
    const auto name = decoded(pair.substr(0, equals));
    values_.emplace_back(name, equals == std::string_view::npos
                                   ? std::string_view{}
                                   : decoded(pair.substr(equals + 1)));
  }
  return {};
}

void params::add(std::string_view name, std::string_view value) {
  char* block = room(name.size() + value.size());
  std::memcpy(block, name.data(), name.size());
  std::memcpy(block + name.size(), value.data(), value.size());
  values_.emplace_back(std::string_view{block, name.size()},
                       std::string_view{block + name.size(), value.size()});
}

void params::clear() noexcept {
  values_.clear();
  blocks_.clear();
}

std::optional<std::string_view>
params::find(std::string_view name) const noexcept {
  for (const auto& [n, v] : values_)
    if (n == name)
      return v;
  return std::nullopt;
}

std::string_view params::get(std::string_view name,
                             std::string_view fallback) const noexcept {
  return find(name).value_or(fallback);
}

char* params::room(std::size_t bytes) {
  blocks_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
  return blocks_.back().get();
}

} // namespace muster::common
