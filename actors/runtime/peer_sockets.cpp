#include "actors/runtime/peer_sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <caf/exit_reason.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/doorman.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/scribe.hpp>

#include "actors/api/errors.hpp"
#include "actors/runtime/owned_socket.hpp"
#include "actors/runtime/tls_session.hpp"
#include "actors/runtime/tls_streams.hpp"

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

owned_socket socket_for(const addrinfo& at) {
  return owned_socket{::socket(at.ai_family,
                               at.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                               at.ai_protocol)};
}

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

using moment = std::chrono::steady_clock::time_point;

bool await(int fd, short events, moment until) {
  const auto left =
      std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
  pollfd ready{fd, events, 0};
  return left.count() > 0
         && ::poll(&ready, 1, static_cast<int>(left.count())) == 1;
}

bool connect_until(int fd, const addrinfo& to, moment until) {
  if (::connect(fd, to.ai_addr, to.ai_addrlen) == 0)
    return true;
  if (errno != EINPROGRESS)
    return false;
  int code = 0;
  socklen_t size = sizeof code;
  return await(fd, POLLOUT, until)
         && getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0
         && code == 0;
}

/// Empty if the other side is proven to be a node, else why it is not.
std::string shake_until(tls_session& session, int fd, moment until) {
  for (;;) {
    const auto step = session.shake();
    if (step == tls_step::done)
      return {};
    if (step == tls_step::failed)
      return session.trouble();
    if (!await(fd, step == tls_step::wants_read ? POLLIN : POLLOUT, until))
      return "no TLS handshake in time";
  }
}

class peer_sockets : public caf::io::middleman_actor_impl {
public:
  peer_sockets(caf::actor_config& cfg, caf::actor broker, caf::actor_addr owner,
               tls_credentials_ptr tls, peer_socket_times times)
      : middleman_actor_impl(cfg, std::move(broker)), owner_(std::move(owner)),
        tls_(std::move(tls)), times_(times) {}

  const char* name() const override { return "peer_sockets"; }

  behavior_type make_behavior() override {
    auto behavior = middleman_actor_impl::make_behavior();
    // In place of the base's, which forgets connections it could hand out
    // again.
    set_down_handler([this](const caf::down_msg& m) {
      if (m.source == owner_)
        quit(caf::exit_reason::kill);
    });
    monitor(owner_);
    return behavior;
  }

  void on_exit() override {
    // The other end did not say who it is: the broker would keep the socket.
    if (begun_ && fail_state() == caf::exit_reason::kill)
      ::shutdown(begun_.get(), SHUT_RDWR);
    begun_ = owned_socket{};
    middleman_actor_impl::on_exit();
  }

protected:
  caf::expected<caf::io::scribe_ptr> connect(const std::string& host,
                                             std::uint16_t port) override {
    const auto found = look_up(host.c_str(), port, 0);
    for (const auto* at = found.get(); at != nullptr; at = at->ai_next) {
      auto s = socket_for(*at);
      const auto until = std::chrono::steady_clock::now() + times_.connect;
      if (!s || !make_mortal(s.get(), times_.dead_after)
          || !connect_until(s.get(), *at, until))
        continue;
      note_begun(s.get());
      if (tls_)
        return secure(std::move(s), host, until);
      return multiplexer().new_scribe(s.release());
    }
    return caf::make_error(caf::sec::cannot_connect_to_node, host, port);
  }

  caf::expected<caf::io::doorman_ptr> open(std::uint16_t port, const char* in,
                                           bool) override {
    const auto found = look_up(in, port, AI_PASSIVE);
    for (const auto* at = found.get(); at != nullptr; at = at->ai_next) {
      auto s = socket_for(*at);
      if (!s || !set_option(s.get(), SOL_SOCKET, SO_REUSEADDR, 1)
          || !make_mortal(s.get(), times_.dead_after)
          || ::bind(s.get(), at->ai_addr, at->ai_addrlen) != 0
          || ::listen(s.get(), SOMAXCONN) != 0)
        continue;
      auto made = tls_ ? make_tls_doorman(multiplexer(), tls_, std::move(s),
                                          times_.connect)
                       : multiplexer().new_doorman(s.release());
      if (made)
        return made;
    }
    return caf::make_error(caf::sec::cannot_open_port, port);
  }

private:
  /// The broker may close the socket at any time, and its number is another's
  /// then: a listener, for one, would be shut in its place.
  void note_begun(int fd) {
    begun_ = owned_socket{::fcntl(fd, F_DUPFD_CLOEXEC, 0)};
  }

  /// CAF has no other multiplexer than this one for TCP.
  caf::io::network::default_multiplexer& multiplexer() {
    return static_cast<caf::io::network::default_multiplexer&>(
        system().middleman().backend());
  }

  caf::expected<caf::io::scribe_ptr>
  secure(owned_socket s, const std::string& host, moment until) {
    auto session = tls_session::to(*tls_, s.get(), host);
    const auto why = session ? shake_until(*session, s.get(), until)
                             : std::string("there is no memory for TLS");
    if (!why.empty())
      return api::to_caf({errc::unavailable, why});
    return make_tls_scribe(multiplexer(), std::move(s), std::move(session));
  }

  caf::actor_addr owner_;
  tls_credentials_ptr tls_;
  peer_socket_times times_;
  /// A descriptor of its own for the connection that was begun.
  owned_socket begun_;
};

caf::actor broker_of(caf::actor_system& system) {
  return system.middleman().named_broker<caf::io::basp_broker>(
      caf::atom("BASP"));
}

} // namespace

caf::io::middleman_actor spawn_peer_sockets(caf::actor_system& system,
                                            const caf::actor& owner,
                                            tls_credentials_ptr tls,
                                            peer_socket_times times) {
  return system.spawn<peer_sockets, caf::detached>(
      broker_of(system), owner.address(), std::move(tls), times);
}

void close_broker_at_end(caf::actor_system& system) {
  auto* broker = static_cast<caf::io::basp_broker*>(
      caf::actor_cast<caf::abstract_actor*>(broker_of(system)));
  // Called in the middle of its own `cleanup`, on its thread.
  broker->attach_functor([broker](const caf::error& why) {
    broker->caf::scheduled_actor::cleanup(caf::error{why}, nullptr);
  });
}

} // namespace muster::runtime
