#pragma once

#include <chrono>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "actors/core/base/clock.hpp"
#include "actors/runtime/owned_socket.hpp"
#include "actors/runtime/tls_session.hpp"

namespace muster::runtime {

/// Takes connections from a listening socket and lets through those whose other
/// side proves in time that it is a node. Nothing that somebody else says gets
/// any further than into OpenSSL. Has a thread, which ends with the object;
/// `take` and `stop` may be called by one other thread.
class tls_listener {
public:
  /// A connection whose handshake is over.
  struct arrival {
    owned_socket socket;
    std::unique_ptr<tls_session> session;
  };

  /// One byte is written to `bell` for each arrival. Handshakes that take
  /// longer than `at_most` fail.
  tls_listener(tls_credentials_ptr own, owned_socket listening,
               owned_socket bell, milliseconds at_most);
  ~tls_listener();
  tls_listener(const tls_listener&) = delete;

  /// The listening socket; -1 after `stop`.
  int get() const { return listening_.get(); }
  std::optional<arrival> take();
  /// Ends the thread and closes all sockets. Idempotent.
  void stop();

private:
  using moment = std::chrono::steady_clock::time_point;
  struct guest {
    arrival who;
    moment until;
    short events; ///< poll(2): what its handshake waits for
    bool gone = false;
  };

  void run(const std::stop_token& stop);
  int patience(moment now) const;
  bool may_accept(moment now);
  void accept_one(moment now);
  void go_on(guest& with, moment now);
  void let_in(guest& whom);
  void refuse(guest& whom, const std::string& why, moment now);

  tls_credentials_ptr own_;
  owned_socket listening_, bell_, wake_;
  milliseconds at_most_;
  // The thread's own.
  std::list<guest> guests_; ///< the one that came first in front
  moment accept_again_{};
  moment told_{}; ///< when somebody was last reported as refused
  unsigned untold_ = 0;

  std::mutex mutex_;
  std::deque<arrival> arrivals_;
  std::jthread thread_;
};

} // namespace muster::runtime
