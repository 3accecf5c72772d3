#include "actors/runtime/tls_streams.hpp"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include <caf/io/abstract_broker.hpp>
#include <caf/io/network/acceptor_impl.hpp>
#include <caf/io/network/stream_impl.hpp>

namespace muster::runtime {

namespace {

namespace net = caf::io::network;

/// How a stream reads and writes.
class through_tls {
public:
  explicit through_tls(std::unique_ptr<tls_session> session)
      : session_(std::move(session)) {}

  net::rw_state read_some(std::size_t& got, net::native_socket, void* to,
                          std::size_t size) {
    got = 0;
    return session_->read(to, size, got) == tls_step::failed
               ? net::rw_state::failure
               : net::rw_state::success;
  }

  /// Never waits for something to read: TLS 1.3 does not shake hands again.
  net::rw_state write_some(std::size_t& put, net::native_socket,
                           const void* from, std::size_t size) {
    put = 0;
    const auto step = session_->write(from, size, put);
    return step == tls_step::done || step == tls_step::wants_write
               ? net::rw_state::success
               : net::rw_state::failure;
  }

  /// The socket does not tell of what OpenSSL has taken from it already.
  bool must_read_more(net::native_socket, std::size_t) const {
    return session_->has_pending();
  }

private:
  std::unique_ptr<tls_session> session_;
};

template <class Result>
Result or_none(caf::expected<Result> found) {
  return found ? std::move(*found) : Result{};
}

class tls_scribe final : public caf::io::scribe {
public:
  tls_scribe(net::default_multiplexer& multiplexer, int fd,
             std::unique_ptr<tls_session> session)
      : scribe(net::conn_hdl_from_socket(fd)),
        stream_(multiplexer, fd, std::move(session)) {}

  void configure_read(caf::io::receive_policy::config how) override {
    stream_.configure_read(how);
    if (!std::exchange(launched_, true))
      stream_.start(this);
  }
  void ack_writes(bool enable) override { stream_.ack_writes(enable); }
  std::vector<char>& wr_buf() override { return stream_.wr_buf(); }
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }
  void flush() override { stream_.flush(this); }
  void graceful_shutdown() override {
    stream_.graceful_shutdown();
    detach(&stream_.backend(), false);
  }
  std::string addr() const override {
    return or_none(net::remote_addr_of_fd(stream_.fd()));
  }
  std::uint16_t port() const override {
    return or_none(net::remote_port_of_fd(stream_.fd()));
  }
  void add_to_loop() override { stream_.activate(this); }
  void remove_from_loop() override { stream_.passivate(); }

private:
  bool launched_ = false;
  net::stream_impl<through_tls> stream_;
};

/// How an acceptor learns of an arrival: by the listener's bell.
struct by_bell {
  bool try_accept(net::native_socket& result, net::native_socket bell) {
    char rung = 0;
    result = bell;
    return ::recv(bell, &rung, sizeof rung, 0) > 0;
  }
};

class tls_doorman final : public caf::io::doorman {
public:
  tls_doorman(net::default_multiplexer& multiplexer, tls_credentials_ptr own,
              owned_socket listening, milliseconds at_most, owned_socket bell,
              int hears)
      : doorman(net::accept_hdl_from_socket(hears)),
        acceptor_(multiplexer, hears),
        listener_(std::move(own), std::move(listening), std::move(bell),
                  at_most) {}

  bool new_connection() override {
    // The broker may have closed it while the byte was on its way.
    if (detached())
      return false;
    auto came = listener_.take();
    if (!came)
      return true;
    auto& multiplexer = acceptor_.backend();
    auto made = make_tls_scribe(multiplexer, std::move(came->socket),
                                std::move(came->session));
    const auto handle = made->hdl();
    parent()->add_scribe(std::move(made));
    return doorman::new_connection(&multiplexer, handle);
  }

  void launch() override { acceptor_.start(this); }
  void graceful_shutdown() override {
    listener_.stop();
    acceptor_.graceful_shutdown();
    detach(&acceptor_.backend(), false);
  }
  std::string addr() const override {
    return or_none(net::local_addr_of_fd(listener_.get()));
  }
  std::uint16_t port() const override {
    return or_none(net::local_port_of_fd(listener_.get()));
  }
  void add_to_loop() override { acceptor_.activate(this); }
  void remove_from_loop() override { acceptor_.passivate(); }

private:
  net::acceptor_impl<by_bell> acceptor_;
  tls_listener listener_;
};

} // namespace

caf::io::scribe_ptr make_tls_scribe(net::default_multiplexer& multiplexer,
                                    owned_socket socket,
                                    std::unique_ptr<tls_session> session) {
  return caf::make_counted<tls_scribe>(multiplexer, socket.release(),
                                       std::move(session));
}

caf::io::doorman_ptr make_tls_doorman(net::default_multiplexer& multiplexer,
                                      tls_credentials_ptr own,
                                      owned_socket listening,
                                      milliseconds at_most) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   ends.data())
      != 0)
    return nullptr;
  return caf::make_counted<tls_doorman>(multiplexer, std::move(own),
                                        std::move(listening), at_most,
                                        owned_socket{ends[0]}, ends[1]);
}

} // namespace muster::runtime
