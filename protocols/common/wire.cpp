#include "protocols/common/wire.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "protocols/common/status_text.hpp"

namespace muster::http {

namespace {

/// RFC 9110, section 15; sorted.
struct status_row {
  unsigned status;
  std::string_view text;
};
constexpr std::array status_rows{
    status_row{100, "Continue"},
    status_row{200, "OK"},
    status_row{201, "Created"},
    status_row{202, "Accepted"},
    status_row{204, "No Content"},
    status_row{206, "Partial Content"},
    status_row{301, "Moved Permanently"},
    status_row{302, "Found"},
    status_row{303, "See Other"},
    status_row{304, "Not Modified"},
    status_row{307, "Temporary Redirect"},
    status_row{308, "Permanent Redirect"},
    status_row{400, "Bad Request"},
    status_row{401, "Unauthorized"},
    status_row{403, "Forbidden"},
    status_row{404, "Not Found"},
    status_row{405, "Method Not Allowed"},
    status_row{406, "Not Acceptable"},
    status_row{408, "Request Timeout"},
    status_row{409, "Conflict"},
    status_row{410, "Gone"},
    status_row{411, "Length Required"},
    status_row{412, "Precondition Failed"},
    status_row{413, "Content Too Large"},
    status_row{414, "URI Too Long"},
    status_row{415, "Unsupported Media Type"},
    status_row{417, "Expectation Failed"},
    status_row{422, "Unprocessable Content"},
    status_row{429, "Too Many Requests"},
    status_row{431, "Request Header Fields Too Large"},
    status_row{500, "Internal Server Error"},
    status_row{501, "Not Implemented"},
    status_row{502, "Bad Gateway"},
    status_row{503, "Service Unavailable"},
    status_row{504, "Gateway Timeout"},
    status_row{505, "HTTP Version Not Supported"},
};

constexpr std::string_view no_date = "Thu, 01 Jan 1970 00:00:00 GMT";
constexpr std::string_view date_name = "Date: ";

void append_number(std::string& out, std::size_t n) {
  std::array<char, 20> digits;
  const auto* end =
      std::to_chars(digits.data(), digits.data() + digits.size(), n).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

/// A handler may pass on what a client once stored: it must not end a line.
void append_value(std::string& out, std::string_view value) {
  const auto from = out.size();
  out += value;
  for (auto i = from; i < out.size(); ++i)
    if (out[i] == '\r' || out[i] == '\n' || out[i] == '\0')
      out[i] = ' ';
}

void append_field(std::string& out, std::string_view name,
                  std::string_view value) {
  append_value(out, name);
  out += ": ";
  append_value(out, value);
  out += "\r\n";
}

bool may_have_body(unsigned status) noexcept {
  return status >= 200 && status != 204 && status != 304;
}

/// Status line and date; the rest of the head follows.
void append_start(std::string& out, unsigned status, std::string_view date) {
  if (status == 200) {
    out += "HTTP/1.1 200 OK\r\n";
  } else {
    out += "HTTP/1.1 ";
    append_number(out, status);
    out += ' ';
    out += status_text(status);
    out += "\r\n";
  }
  out += date_name;
  out += date;
  out += "\r\n";
}

void append_fields(std::string& out, const response& r, std::size_t size) {
  if (!r.content_type.empty())
    append_field(out, "Content-Type", r.content_type);
  for (const auto& [name, value] : r.headers)
    append_field(out, name, value);
  if (may_have_body(r.status)) {
    out += "Content-Length: ";
    append_number(out, size);
    out += "\r\n\r\n";
  } else {
    out += "\r\n";
  }
}

std::string_view append_body(std::string& out, std::string_view body) {
  if (body.size() > inline_body_max)
    return body;
  out += body;
  return {};
}

/// `render` put a date line behind the status line: that one is replaced.
std::string_view append_rendered(std::string& out, std::string_view bytes,
                                 const framing& f) {
  const auto status_line = bytes.find('\n') + 1;
  const auto rest = status_line + date_name.size() + no_date.size() + 2;
  out += bytes.substr(0, status_line);
  out += date_name;
  out += f.date;
  out += "\r\n";
  out += f.connection;
  bytes.remove_prefix(rest);
  if (f.head_only)
    bytes = bytes.substr(0, bytes.find("\r\n\r\n") + 4);
  return append_body(out, bytes);
}

} // namespace

std::string_view append_response(std::string& out, const response& r,
                                 const framing& f) {
  if (r.rendered)
    return append_rendered(out, *r.rendered, f);
  const auto body = r.body_view();
  append_start(out, r.status, f.date);
  out += f.connection;
  append_fields(out, r, body.size());
  return f.head_only || !may_have_body(r.status) ? std::string_view{}
                                                 : append_body(out, body);
}

std::string render(const response& r) {
  std::string out;
  const auto body = r.body_view();
  out.reserve(body.size() + 256);
  append_start(out, r.status, no_date);
  append_fields(out, r, body.size());
  if (may_have_body(r.status))
    out += body;
  return out;
}

unsigned status_of(const response& r) noexcept {
  if (!r.rendered)
    return r.status;
  unsigned status = 0;
  const auto* digits = r.rendered->data() + 9; // "HTTP/1.1 "
  std::from_chars(digits, digits + 3, status);
  return status;
}

std::string http_date(wall_time t) {
  static constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed",
                                                   "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> months{
      "Jan", "Feb", "Mar", "Apr", "May", "Jun",
      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{
      std::chrono::floor<std::chrono::seconds>(t - day)};
  std::array<char, 40> text;
  const int size = std::snprintf(
      text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
      days[std::chrono::weekday{day}.c_encoding()],
      static_cast<unsigned>(date.day()),
      months[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), static_cast<int>(time.hours().count()),
      static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()));
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string_view status_text(unsigned status) noexcept {
  const auto row =
      std::ranges::lower_bound(status_rows, status, {}, &status_row::status);
  return row != status_rows.end() && row->status == status ? row->text
                                                           : "Unknown";
}

} // namespace muster::http
