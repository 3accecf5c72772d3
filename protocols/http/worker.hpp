#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/intrusive/list.hpp>

#include "protocols/http/core.hpp"
#include "protocols/http/scratch.hpp"

/// One thread's part of a server.
namespace muster::http {

using tcp = asio::ip::tcp;
using executor = asio::io_context::executor_type;
using tcp_socket = asio::basic_stream_socket<tcp, executor>;
using tcp_acceptor = asio::basic_socket_acceptor<tcp, executor>;
using io_time = std::chrono::steady_clock::time_point;
using timer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>,
                               executor>;

class session;

/// Accepts, keeps the list of its sessions, looks after their deadlines. Lives
/// as long as its coroutines; all members are for its io_context's thread.
class worker : public std::enable_shared_from_this<worker> {
public:
  worker(std::shared_ptr<server_core> core, std::size_t index,
         tcp_acceptor acceptor);
  ~worker();

  void start();
  /// No new connections; idle ones close, held requests are woken.
  void drain();
  /// Closes what is left.
  void abort();

  server_core& core() noexcept { return *core_; }
  std::size_t index() const noexcept { return index_; }
  asio::io_context& io() noexcept { return core_->pool.io(index_); }
  bool draining() const noexcept { return draining_; }
  scratch_pool& scratches() noexcept { return scratches_; }
  /// The `Date` of now; read anew once a second.
  std::string_view date(io_time now);

  /// This thread's share of the bounds. False: busy.
  bool enter_request(bool held);
  void leave_request(bool held);

  void add(session& s);
  void remove(session& s);

private:
  struct sessions; // the intrusive list
  asio::awaitable<void> accept_all();
  void admit(tcp_socket socket);
  void refuse(tcp_socket socket);
  void arm_sweeper();
  void sweep();

  std::shared_ptr<server_core> core_;
  const std::size_t index_;
  tcp_acceptor acceptor_;
  timer sweeper_;
  milliseconds sweep_interval_;
  scratch_pool scratches_;
  std::unique_ptr<sessions> sessions_;
  std::string date_;
  io_time date_until_{};
  const std::size_t requests_max_;
  const std::size_t held_max_;
  bool draining_ = false;
};

} // namespace muster::http
