#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <poll.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

/// A socket that sends exactly what a test says.
namespace muster::test {

/// One response as read from the wire.
struct raw_response {
  unsigned status = 0; ///< 0: the connection ended before a whole response
  std::string head;
  std::string body;

  bool has(std::string_view line) const {
    return head.find(line) != std::string::npos;
  }
};

class raw_client {
public:
  explicit raw_client(std::uint16_t port) {
    socket_.connect({boost::asio::ip::address_v4::loopback(), port});
  }

  /// False: the server has closed.
  bool send(std::string_view bytes) {
    boost::system::error_code ec;
    boost::asio::write(socket_, boost::asio::buffer(bytes), ec);
    return !ec;
  }

  /// Reads one response; `head_only` for answers to HEAD.
  raw_response read(bool head_only = false) {
    raw_response r;
    std::size_t end = 0;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos)
      if (!more())
        return r;
    r.head = input_.substr(0, end + 2);
    input_.erase(0, end + 4);
    const auto at = r.head.find("Content-Length: ");
    const std::size_t size = head_only || at == std::string::npos
                                 ? 0
                                 : std::stoul(r.head.substr(at + 16));
    while (input_.size() < size)
      if (!more())
        return r;
    r.body = input_.substr(0, size);
    input_.erase(0, size);
    r.status = static_cast<unsigned>(std::stoul(r.head.substr(9, 3)));
    return r;
  }

  raw_response get(std::string_view target) {
    send("GET " + std::string(target) + " HTTP/1.1\r\nHost: t\r\n\r\n");
    return read();
  }

  /// Whether the server closes within the time; what came before is kept.
  bool closed(std::chrono::milliseconds at_most = std::chrono::seconds{5}) {
    const auto until = std::chrono::steady_clock::now() + at_most;
    while (std::chrono::steady_clock::now() < until)
      if (readable(std::chrono::milliseconds{50}) && !more())
        return true;
    return false;
  }

  bool readable(std::chrono::milliseconds at_most) {
    pollfd p{socket_.native_handle(), POLLIN, 0};
    return ::poll(&p, 1, static_cast<int>(at_most.count())) > 0;
  }

  void close() { socket_.close(); }
  void close_sending() {
    socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send);
  }
  const std::string& unread() const { return input_; }
  boost::asio::ip::tcp::socket& socket() { return socket_; }

private:
  /// Waits at most 10 s. False at the end of the stream.
  bool more() {
    if (!readable(std::chrono::seconds{10}))
      return false;
    char bytes[16384];
    boost::system::error_code ec;
    const auto n = socket_.read_some(boost::asio::buffer(bytes), ec);
    input_.append(bytes, n);
    return !ec;
  }

  boost::asio::io_context io_;
  boost::asio::ip::tcp::socket socket_{io_};
  std::string input_;
};

} // namespace muster::test
