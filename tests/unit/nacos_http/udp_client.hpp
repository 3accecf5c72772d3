#pragma once

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include <zlib.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/json.hpp>

/// A client of Nacos 1.x as its UDP socket sees the server.
namespace muster::test {

inline std::string gunzip(std::string_view packed) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string in{packed};
  std::string out(4 << 20, '\0');
  stream.next_in = reinterpret_cast<unsigned char*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<unsigned char*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

class udp_client {
public:
  using udp = boost::asio::ip::udp;

  std::string port() const {
    return std::to_string(socket_.local_endpoint().port());
  }

  /// The next datagram as it comes; fails the test if there is none in time.
  std::string receive() {
    std::string buffer(70'000, '\0');
    std::size_t got = 0;
    socket_.async_receive_from(
        boost::asio::buffer(buffer), from_,
        [&](const boost::system::error_code& ec, std::size_t n) {
          if (!ec)
            got = n;
        });
    io_.restart();
    io_.run_for(std::chrono::seconds(10));
    const bool ended = io_.stopped();
    if (!ended) {
      socket_.cancel();
      io_.run();
    }
    REQUIRE(ended);
    buffer.resize(got);
    return buffer;
  }
  /// The push in it.
  boost::json::value receive_push() {
    const auto datagram = receive();
    return boost::json::parse(datagram.starts_with('{') ? datagram
                                                        : gunzip(datagram));
  }
  /// Whether a datagram is here that was not received.
  bool has_more() const { return socket_.available() > 0; }

  /// To where the last datagram came from.
  void send(std::string_view text) {
    socket_.send_to(boost::asio::buffer(text.data(), text.size()), from_);
  }
  void acknowledge(const boost::json::value& push) {
    send(R"({"type":"push-ack","lastRefTime":")"
         + boost::json::serialize(push.at("lastRefTime")) + R"(","data":""})");
  }

private:
  boost::asio::io_context io_;
  udp::socket socket_{io_, {boost::asio::ip::address_v4::loopback(), 0}};
  udp::endpoint from_;
};

} // namespace muster::test
