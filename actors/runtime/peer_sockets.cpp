#include "actors/runtime/peer_sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <caf/exit_reason.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/doorman.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/multiplexer.hpp>
#include <caf/io/scribe.hpp>

namespace muster::runtime {

namespace {

using addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

addresses look_up(const char* host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host, std::to_string(port).c_str(), &hints, &found) != 0)
    found = nullptr;
  return {found, freeaddrinfo};
}

template <class T>
bool set_option(int fd, int level, int name, T value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/// A socket that closes itself unless it is handed on.
class owned_socket {
public:
  explicit owned_socket(const addrinfo& at)
      : fd_(::socket(at.ai_family,
                     at.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                     at.ai_protocol)) {}
  owned_socket(const owned_socket&) = delete;
  ~owned_socket() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

private:
  int fd_;
};

/// Accepted sockets have them from the one that listens.
bool make_mortal(int fd, milliseconds dead_after) {
  constexpr int probes = 3;
  const auto between = static_cast<int>(
      std::max<std::int64_t>(1, dead_after.count() / 1'000 / (probes + 1)));
  return set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
                    static_cast<unsigned>(dead_after.count()))
         && set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
         && set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, between)
         && set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, between)
         && set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, probes)
         && set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

bool connect_within(int fd, const addrinfo& to, milliseconds at_most) {
  if (::connect(fd, to.ai_addr, to.ai_addrlen) == 0)
    return true;
  if (errno != EINPROGRESS)
    return false;
  pollfd writable{fd, POLLOUT, 0};
  int code = 0;
  socklen_t size = sizeof code;
  return ::poll(&writable, 1, static_cast<int>(at_most.count())) == 1
         && getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0
         && code == 0;
}

class peer_sockets : public caf::io::middleman_actor_impl {
public:
  peer_sockets(caf::actor_config& cfg, caf::actor broker, caf::actor_addr owner,
               peer_socket_times times)
      : middleman_actor_impl(cfg, std::move(broker)), owner_(std::move(owner)),
        times_(times) {}

  const char* name() const override { return "peer_sockets"; }

  behavior_type make_behavior() override {
    auto behavior = middleman_actor_impl::make_behavior();
    // In place of the base's, which forgets connections it could hand out
    // again.
    set_down_handler(
        [this](const caf::down_msg&) { quit(caf::exit_reason::kill); });
    monitor(owner_);
    return behavior;
  }

  void on_exit() override {
    // The other end did not say who it is: the broker would keep the socket.
    // Without an answer from the broker it is still open, and this number still
    // its own.
    if (begun_ >= 0 && fail_state() == caf::exit_reason::kill)
      ::shutdown(begun_, SHUT_RDWR);
    middleman_actor_impl::on_exit();
  }

protected:
  caf::expected<caf::io::scribe_ptr> connect(const std::string& host,
                                             std::uint16_t port) override {
    const auto found = look_up(host.c_str(), port, 0);
    for (const auto* at = found.get(); at != nullptr; at = at->ai_next) {
      owned_socket s(*at);
      if (s.get() < 0 || !make_mortal(s.get(), times_.dead_after)
          || !connect_within(s.get(), *at, times_.connect))
        continue;
      begun_ = s.release();
      return system().middleman().backend().new_scribe(begun_);
    }
    return caf::make_error(caf::sec::cannot_connect_to_node, host, port);
  }

  caf::expected<caf::io::doorman_ptr> open(std::uint16_t port, const char* in,
                                           bool) override {
    const auto found = look_up(in, port, AI_PASSIVE);
    for (const auto* at = found.get(); at != nullptr; at = at->ai_next) {
      owned_socket s(*at);
      if (s.get() >= 0 && set_option(s.get(), SOL_SOCKET, SO_REUSEADDR, 1)
          && make_mortal(s.get(), times_.dead_after)
          && ::bind(s.get(), at->ai_addr, at->ai_addrlen) == 0
          && ::listen(s.get(), SOMAXCONN) == 0)
        return system().middleman().backend().new_doorman(s.release());
    }
    return caf::make_error(caf::sec::cannot_open_port, port);
  }

private:
  caf::actor_addr owner_;
  peer_socket_times times_;
  int begun_ = -1;
};

} // namespace

caf::io::middleman_actor spawn_peer_sockets(caf::actor_system& system,
                                            const caf::actor& owner,
                                            peer_socket_times times) {
  auto broker =
      system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  return system.spawn<peer_sockets, caf::detached + caf::hidden>(
      std::move(broker), owner.address(), times);
}

} // namespace muster::runtime
