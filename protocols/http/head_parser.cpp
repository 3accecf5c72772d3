#include "protocols/http/head_parser.hpp"

#include <charconv>

#include "protocols/common/trace.hpp"

namespace muster::http {

namespace beast_http = boost::beast::http;
using common::refusal_kind;

void raw_head::reset() noexcept {
  verb = method::get;
  target = {};
  fields.clear();
  trace = {};
  expects_continue = has_host = has_coding = chunked_only = false;
}

head_parser::head_parser(raw_head& head, std::string& body,
                         std::size_t head_bytes_max, std::size_t headers_max)
    : head_(head), body_(body), head_bytes_max_(head_bytes_max),
      headers_max_(headers_max) {
  header_limit(static_cast<std::uint32_t>(head_bytes_max));
  // The route says how much is taken; it is known once the head is read.
  body_limit(boost::none);
}

head_parser::step head_parser::read_head(const char* begin, std::size_t size) {
  begin_ = begin;
  size_ = size;
  error_code ec;
  consumed_ +=
      put(boost::asio::buffer(begin + consumed_, size - consumed_), ec);
  if (!ec && is_header_done()) {
    in_head_ = false;
    return step::done;
  }
  if ((!ec || ec == beast_http::error::need_more) && size < head_bytes_max_)
    return step::more;
  if (!ec || ec == beast_http::error::need_more)
    ec = beast_http::error::header_limit;
  return failed(ec);
}

head_parser::step head_parser::read_chunks(const char* begin, std::size_t size,
                                           std::size_t& consumed) {
  consumed = 0;
  error_code ec;
  while (!is_done()) {
    if (consumed == size)
      return step::more; // Beast would make no progress and say no error
    consumed += put(boost::asio::buffer(begin + consumed, size - consumed), ec);
    if (ec == beast_http::error::need_more)
      return step::more;
    if (ec)
      return failed(ec);
  }
  return step::done;
}

void head_parser::on_request_impl(beast_http::verb verb, text, text target,
                                  int version, error_code& ec) {
  line_read_ = true;
  version_ = version;
  head_.target = piece_of(target);
  switch (verb) {
  case beast_http::verb::get:
    head_.verb = method::get;
    break;
  case beast_http::verb::head:
    head_.verb = method::head;
    break;
  case beast_http::verb::post:
    head_.verb = method::post;
    break;
  case beast_http::verb::put:
    head_.verb = method::put;
    break;
  case beast_http::verb::patch:
    head_.verb = method::patch;
    break;
  case beast_http::verb::delete_:
    head_.verb = method::del;
    break;
  case beast_http::verb::options:
    head_.verb = method::options;
    break;
  default:
    refuse(refusal_kind::unsupported, "method is not supported", ec);
  }
}

void head_parser::on_field_impl(beast_http::field id, text name, text value,
                                error_code& ec) {
  if (!in_head_)
    return; // trailers of a chunked body are not used
  if (head_.fields.size() >= headers_max_)
    return refuse(refusal_kind::head_too_large, "too many headers", ec);
  // A value that was folded over lines is a copy of Beast's. Refused, as RFC
  // 9112 section 5.2 allows.
  if (!value.empty() && !inside(value))
    return refuse(refusal_kind::malformed, "folded header line", ec);
  head_.fields.emplace_back(piece_of(name), piece_of(value));
  switch (id) {
  case beast_http::field::host:
    if (head_.has_host)
      return refuse(refusal_kind::malformed, "more than one Host", ec);
    head_.has_host = true;
    break;
  case beast_http::field::expect:
    head_.expects_continue = equal_ignoring_case(value, "100-continue");
    break;
  case beast_http::field::content_length:
    note_length(value, ec);
    break;
  case beast_http::field::transfer_encoding:
    note_coding(value);
    break;
  case beast_http::field::unknown:
    if (name.size() == 11 && equal_ignoring_case(name, "traceparent"))
      head_.trace =
          common::parse_traceparent(value).value_or(api::trace_context{});
    break;
  default:
    break;
  }
}

void head_parser::note_coding(text value) {
  head_.chunked_only =
      !head_.has_coding && equal_ignoring_case(value, "chunked");
  head_.has_coding = true;
}

/// Beast checks lengths too, but takes lists of equal ones: "5, 5".
void head_parser::note_length(text value, error_code& ec) {
  const auto* end = value.data() + value.size();
  const auto read = std::from_chars(value.data(), end, length_);
  if (read.ec != std::errc{} || read.ptr != end)
    refuse(refusal_kind::malformed, "bad Content-Length", ec);
}

void head_parser::on_header_impl(error_code& ec) {
  if (version_ == 11 && !head_.has_host)
    return refuse(refusal_kind::malformed, "Host is missing", ec);
  if (!head_.has_coding)
    return;
  // Where server and proxy could see different ends of a body, we close.
  if (version_ == 10)
    return refuse(refusal_kind::malformed,
                  "Transfer-Encoding in an HTTP/1.0 request", ec);
  if (!head_.chunked_only)
    refuse(refusal_kind::unsupported, "transfer coding is not supported", ec);
}

std::size_t head_parser::on_chunk_body_impl(std::uint64_t, text data,
                                            error_code&) {
  body_.append(data.data(), data.size());
  return data.size();
}

bool head_parser::inside(text t) const noexcept {
  return t.data() >= begin_ && t.data() + t.size() <= begin_ + size_;
}

piece head_parser::piece_of(text t) const noexcept {
  if (t.empty())
    return {};
  return {static_cast<std::uint32_t>(t.data() - begin_),
          static_cast<std::uint32_t>(t.size())};
}

void head_parser::refuse(refusal_kind why, std::string_view detail,
                         error_code& ec) {
  refused_ = true;
  why_ = why;
  detail_ = detail;
  ec = beast_http::error::bad_value;
}

head_parser::step head_parser::failed(const error_code& ec) {
  if (refused_)
    return step::refused;
  using beast_http::error;
  if (ec == error::header_limit) {
    why_ = line_read_ ? refusal_kind::head_too_large
                      : refusal_kind::target_too_long;
    detail_ = line_read_ ? "headers are too long" : "request line is too long";
  } else if (ec == error::body_limit) {
    why_ = refusal_kind::body_too_large;
    detail_ = "body is too large";
  }
  return step::refused;
}

} // namespace muster::http
