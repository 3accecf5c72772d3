#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/intrusive/list_hook.hpp>

#include "protocols/http/worker.hpp"

/// One connection.
namespace muster::http {

/// Reads requests, calls their handlers one after the other, writes the answers
/// in that order, those of pipelined requests together. Owned by its coroutine;
/// its worker knows it by a list.
///
/// While nothing is to be read or sent it has no buffers: it waits for the
/// socket to become readable and takes a scratch from the pool then.
class session final : public client_link,
                      public std::enable_shared_from_this<session>,
                      public boost::intrusive::list_base_hook<> {
public:
  session(std::shared_ptr<worker> home, tcp_socket socket, std::string peer_ip);
  ~session() override;

  asio::awaitable<void> run();

  /// By the worker's sweeper.
  void sweep(io_time now);
  /// Close if idle, else after the request in work.
  void drain();
  void abort();

protected:
  void watch_close() override;

private:
  enum class phase : std::uint8_t { idle, head, body, handling, writing };
  enum class next : std::uint8_t { more, ready, refused };
  enum class sent : std::uint8_t { all, some, broken };

  // Reading. `advance` parses what is there; `fill` gets more.
  next advance();
  next on_head();
  next on_body();
  bool place_views();
  void place_body();
  void renew_views();
  bool set_path(std::string_view target);
  bool hold_permits(std::size_t body_bytes);
  next refuse(common::refusal_kind kind, std::string detail);
  asio::awaitable<bool> fill();
  void set_read_deadline();
  bool receive();

  // Answering.
  asio::awaitable<bool> answer();
  asio::awaitable<std::expected<response, common::refusal>> call();
  std::optional<common::refusal> objection();
  void shrink_to_request();
  std::string_view queue(const response& r, bool keep, io_time now);
  void finish_request();
  asio::awaitable<void> reject();

  // Writing.
  sent send_some(std::string_view& tail);
  asio::awaitable<bool> send_rest(std::string_view tail);
  asio::awaitable<void> linger();

  void look_for_close();
  bool closed_by_peer();

  std::shared_ptr<worker> worker_;
  tcp_socket socket_;
  std::string peer_ip_;
  std::unique_ptr<scratch> scratch_;
  io_time deadline_ = io_time::max();
  io_time body_until_{};
  /// The request being read or answered.
  const common::bound_route* route_ = nullptr;
  const common::product* owner_ = nullptr;
  std::optional<common::refusal> refusal_;
  std::size_t body_size_ = 0; ///< by Content-Length
  std::size_t body_permits_ = 0;
  std::size_t out_sent_ = 0;
  std::uint32_t request_number_ = 0;
  phase phase_ = phase::idle;
  bool in_body_ = false;     ///< head read, body not
  bool views_stale_ = false; ///< the buffer moved since they were made
  bool wants_continue_ = false;
  bool timed_out_ = false;
  bool ending_ = false;
  bool close_watched_ = false;
  bool bytes_behind_ = false; ///< pipelined bytes hide the client's close
};

} // namespace muster::http
