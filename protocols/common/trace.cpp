#include "protocols/common/trace.hpp"

#include <algorithm>
#include <random>
#include <span>

#include "protocols/common/digest.hpp"

namespace muster::common {

namespace {

/// Lower-case hex only: the standard forbids upper case.
int digit(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return -1;
}

bool read_hex(std::string_view text, std::span<std::uint8_t> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

bool all_zero(std::span<const std::uint8_t> bytes) noexcept {
  return std::ranges::all_of(bytes, [](auto b) { return b == 0; });
}

void fill_random(std::span<std::uint8_t> out) {
  thread_local std::mt19937_64 source{[] {
    std::random_device seed;
    return (std::uint64_t{seed()} << 32) | seed();
  }()};
  do {
    for (auto& byte : out)
      byte = static_cast<std::uint8_t>(source());
  } while (all_zero(out));
}

} // namespace

std::optional<api::trace_context> parse_traceparent(std::string_view header) {
  // version "-" trace-id "-" parent-id "-" flags; later versions may add more.
  static constexpr std::size_t size = 55;
  if (header.size() < size || header[2] != '-' || header[35] != '-'
      || header[52] != '-')
    return std::nullopt;
  std::uint8_t version = 0;
  api::trace_context trace;
  if (!read_hex(header, {&version, 1}) || version == 0xff
      || !read_hex(header.substr(3), trace.trace)
      || !read_hex(header.substr(36), trace.parent)
      || !read_hex(header.substr(53), {&trace.flags, 1}))
    return std::nullopt;
  if (header.size() > size && (version == 0 || header[size] != '-'))
    return std::nullopt;
  if (all_zero(trace.trace) || all_zero(trace.parent))
    return std::nullopt;
  return trace;
}

std::string format_traceparent(const api::trace_context& trace) {
  std::string out = "00-";
  append_hex(out, trace.trace.data(), trace.trace.size());
  out += '-';
  append_hex(out, trace.parent.data(), trace.parent.size());
  out += '-';
  append_hex(out, &trace.flags, 1);
  return out;
}

api::trace_context new_trace() {
  api::trace_context trace;
  fill_random(trace.trace);
  fill_random(trace.parent);
  return trace;
}

api::trace_context child_of(const api::trace_context& trace) {
  auto child = trace;
  fill_random(child.parent);
  return child;
}

bool has_trace(const api::trace_context& trace) noexcept {
  return !all_zero(trace.trace);
}

} // namespace muster::common
