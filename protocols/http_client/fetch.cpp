#include "protocols/http_client/fetch.hpp"

#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace muster::http_client {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

constexpr std::size_t head_bytes_max = 16U << 10;
constexpr unsigned http_1_1 = 11;

std::string authority_of(const request& what) {
  const bool v6 = what.host.find(':') != std::string::npos;
  return (v6 ? '[' + what.host + ']' : what.host) + ':'
         + std::to_string(what.port);
}

/// One request on an io_context of its own; each step starts the next.
class exchange {
public:
  exchange(const request& what, const bounds& within)
      : what_(what), stream_(io_), resolver_(io_) {
    parser_.body_limit(within.body_bytes_max);
    parser_.header_limit(head_bytes_max);
    sent_.version(http_1_1);
    sent_.method_string(what.method);
    sent_.target(what.target);
    sent_.set(beast::http::field::host, authority_of(what));
    sent_.set(beast::http::field::connection, "close");
  }

  /// How it ended; none: the time was over first.
  std::optional<beast::error_code> run(milliseconds at_most) {
    resolver_.async_resolve(
        what_.host, std::to_string(what_.port),
        [this](beast::error_code ec, const tcp::resolver::results_type& found) {
          if (go_on(ec))
            connect(found);
        });
    io_.run_for(at_most);
    return ended_;
  }

  answer take() {
    auto got = parser_.release();
    return {got.result_int(), std::move(got.body())};
  }

private:
  void connect(const tcp::resolver::results_type& found) {
    stream_.async_connect(found, [this](beast::error_code ec, const auto&) {
      if (go_on(ec))
        beast::http::async_write(stream_, sent_,
                                 [this](beast::error_code sent, std::size_t) {
                                   if (go_on(sent))
                                     read();
                                 });
    });
  }
  void read() {
    beast::http::async_read(
        stream_, buffer_, parser_,
        [this](beast::error_code ec, std::size_t) { ended_ = ec; });
  }
  bool go_on(beast::error_code ec) {
    if (ec)
      ended_ = ec;
    return !ec;
  }

  const request& what_;
  asio::io_context io_;
  beast::tcp_stream stream_;
  tcp::resolver resolver_;
  beast::http::request<beast::http::empty_body> sent_;
  beast::flat_buffer buffer_;
  beast::http::response_parser<beast::http::string_body> parser_;
  std::optional<beast::error_code> ended_;
};

bool is_of_http(beast::error_code ec) {
  return ec.category()
             == make_error_code(beast::http::error::body_limit).category()
         && ec != beast::http::error::end_of_stream
         && ec != beast::http::error::partial_message;
}

} // namespace

result<answer> fetch(const request& what, const bounds& within) {
  exchange one(what, within);
  const auto ended = one.run(within.at_most);
  const auto whom = authority_of(what) + ": ";
  if (!ended)
    return fail(errc::deadline_exceeded,
                whom + "no answer within "
                    + std::to_string(within.at_most.count()) + " ms");
  if (*ended)
    return fail(is_of_http(*ended) ? errc::data_loss : errc::unavailable,
                whom + ended->message());
  return one.take();
}

} // namespace muster::http_client
