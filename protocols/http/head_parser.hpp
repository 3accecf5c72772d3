#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/beast/http/basic_parser.hpp>

#include "actors/api/messages.hpp"
#include "protocols/common/http_types.hpp"
#include "protocols/common/route.hpp"

/// From bytes to the parts of one request, without copying them.
namespace muster::http {

/// A piece of the connection's buffer, counted from the request's first byte:
/// the buffer may move while the request is still being read.
struct piece {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;

  std::string_view in(const char* begin) const noexcept {
    return {begin + offset, size};
  }
};

/// What was read of one request's head. Reused from request to request.
struct raw_head {
  method verb = method::get;
  piece target;
  std::vector<std::pair<piece, piece>> fields;
  api::trace_context trace;
  bool expects_continue = false;
  bool has_host = false;
  bool has_coding = false;   ///< Transfer-Encoding
  bool chunked_only = false; ///< … and it is "chunked", nothing else

  void reset() noexcept;
};

/// One request; made anew for each. Framing rules (lengths, chunks, what is
/// ambiguous) are Beast's; this adds our bounds and keeps offsets. RFC 9112.
class head_parser final : private boost::beast::http::basic_parser<true> {
  using base = boost::beast::http::basic_parser<true>;

public:
  enum class step : std::uint8_t { more, done, refused };

  head_parser(raw_head& head, std::string& body, std::size_t head_bytes_max,
              std::size_t headers_max);

  /// Reads on in [begin, begin + size): `begin` is the request's first byte,
  /// what was consumed before is skipped.
  step read_head(const char* begin, std::size_t size);
  /// For chunked bodies: the decoded bytes are appended to the body. `consumed`
  /// bytes of the input are done with.
  step read_chunks(const char* begin, std::size_t size, std::size_t& consumed);
  /// Bound of a chunked body.
  void body_max(std::size_t bytes) { body_limit(bytes); }

  std::size_t head_size() const noexcept { return consumed_; }
  bool chunked() const { return base::chunked(); }
  bool keeps_alive() const { return keep_alive(); }
  bool is_http_1_0() const noexcept { return version_ == 10; }
  /// Content-Length, or 0.
  std::uint64_t length() const noexcept { return length_; }
  /// Why it was refused.
  common::refusal_kind why() const noexcept { return why_; }
  std::string_view detail() const noexcept { return detail_; }

private:
  using text = boost::beast::string_view;
  using error_code = boost::beast::error_code;

  void on_request_impl(boost::beast::http::verb verb, text name, text target,
                       int version, error_code& ec) override;
  void on_response_impl(int, text, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field id, text name, text value,
                     error_code& ec) override;
  void on_header_impl(error_code& ec) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&,
                         error_code&) override {}
  std::size_t on_body_impl(text, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, text data,
                                 error_code&) override;
  void on_finish_impl(error_code&) override {}

  piece piece_of(text t) const noexcept;
  bool inside(text t) const noexcept;
  void refuse(common::refusal_kind why, std::string_view detail,
              error_code& ec);
  step failed(const error_code& ec);
  void note_coding(text value);
  void note_length(text value, error_code& ec);

  raw_head& head_;
  std::string& body_;
  const std::size_t head_bytes_max_;
  const std::size_t headers_max_;
  const char* begin_ = nullptr;
  std::size_t size_ = 0;
  std::size_t consumed_ = 0;
  std::uint64_t length_ = 0;
  int version_ = 11;
  bool in_head_ = true;
  bool line_read_ = false;
  bool refused_ = false;
  common::refusal_kind why_ = common::refusal_kind::malformed;
  std::string_view detail_ = "malformed request";
};

} // namespace muster::http
