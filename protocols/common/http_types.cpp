#include "protocols/common/http_types.hpp"

#include <algorithm>
#include <array>

#include "actors/core/base/invariant.hpp"

namespace muster::http {

namespace {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

std::string_view trimmed(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t'))
    s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t'))
    s.remove_suffix(1);
  return s;
}

const request::field* find_header(const std::vector<request::field>& headers,
                                  std::string_view name) noexcept {
  for (const auto& field : headers)
    if (equal_ignoring_case(field.first, name))
      return &field;
  return nullptr;
}

} // namespace

std::string_view to_string(method m) noexcept {
  static constexpr std::array<std::string_view, method_count> names{
      "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  return names[static_cast<std::size_t>(m)];
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view request::header(std::string_view name) const noexcept {
  const auto* found = find_header(headers, name);
  return found == nullptr ? std::string_view{} : found->second;
}

bool request::has_header(std::string_view name) const noexcept {
  return find_header(headers, name) != nullptr;
}

std::string_view request::path_value(std::string_view name) const noexcept {
  for (const auto& [n, v] : path_values)
    if (n == name)
      return v;
  return {};
}

bool request::has_form() const noexcept {
  static constexpr std::string_view form = "application/x-www-form-urlencoded";
  return !body.empty()
         && equal_ignoring_case(header("Content-Type").substr(0, form.size()),
                                form);
}

const common::params& request::params() const {
  if (!params_parsed_) {
    params_parsed_ = true;
    const auto from_query = params_.parse(query);
    const auto from_form = has_form() ? params_.parse(body) : result<void>{};
    MUSTER_INVARIANT(from_query && from_form,
                     "the listener bounds the number of parameters");
  }
  return params_;
}

std::string_view request::source_ip() const noexcept {
  const auto forwarded = header("X-Forwarded-For");
  if (const auto first = trimmed(forwarded.substr(0, forwarded.find(',')));
      !first.empty())
    return first;
  if (const auto real = trimmed(header("X-Real-IP")); !real.empty())
    return real;
  return peer_ip;
}

void request::reset() noexcept {
  verb = method::get;
  target = path = query = body = peer_ip = {};
  headers.clear();
  path_values.clear();
  meta = {};
  params_.clear();
  params_parsed_ = false;
}

std::string_view response::body_view() const noexcept {
  if (const auto* own = std::get_if<std::string>(&body))
    return *own;
  const auto& shared = std::get<std::shared_ptr<const std::string>>(body);
  return shared ? std::string_view{*shared} : std::string_view{};
}

response reply(unsigned status, std::string_view content_type,
               std::string body) {
  response r;
  r.status = status;
  r.content_type = content_type;
  r.body = std::move(body);
  return r;
}

response reply(std::shared_ptr<const std::string> rendered) {
  response r;
  r.rendered = std::move(rendered);
  return r;
}

void client_link::on_gone(std::function<void()> call) {
  call_ = std::move(call);
  if (call_ && !gone_)
    watch_close();
}

void client_link::set_gone() {
  gone_ = true;
  if (auto call = std::exchange(call_, {}))
    call();
}

} // namespace muster::http
