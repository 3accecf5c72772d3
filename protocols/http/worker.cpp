#include "protocols/http/worker.hpp"

#include <algorithm>
#include <utility>

#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "protocols/common/wire.hpp"
#include "protocols/http/session.hpp"

namespace muster::http {

namespace {

/// How long accepting rests when the process has no file descriptors left.
constexpr milliseconds accept_pause{100};
constexpr milliseconds sweep_interval_max{1000};
constexpr milliseconds sweep_interval_min{10};

milliseconds sweep_interval(const limits& l) {
  const auto shortest =
      std::min({l.head_timeout, l.body_timeout, l.body_total_timeout,
                l.write_timeout, l.idle_timeout});
  return std::clamp(shortest / 4, sweep_interval_min, sweep_interval_max);
}

std::size_t share(std::size_t total, std::size_t threads) {
  return (total + threads - 1) / threads;
}

/// One writer per counter.
void bump(std::atomic<std::size_t>& n, std::size_t by) noexcept {
  n.store(n.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

} // namespace

struct worker::sessions {
  boost::intrusive::list<session> all;
};

worker::worker(std::shared_ptr<server_core> core, std::size_t index,
               tcp_acceptor acceptor)
    : core_(std::move(core)), index_(index), acceptor_(std::move(acceptor)),
      sweeper_(io().get_executor()),
      sweep_interval_(sweep_interval(core_->settings.limits)),
      sessions_(std::make_unique<sessions>()),
      requests_max_(
          share(core_->settings.limits.requests_max, core_->pool.size())),
      held_max_(share(core_->settings.limits.held_max, core_->pool.size())) {
  // nop
}

worker::~worker() = default;

void worker::start() {
  core_->pool.spawn(index_,
                    [me = shared_from_this()] { return me->accept_all(); });
}

void worker::drain() {
  draining_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (auto& s : sessions_->all)
    s.drain();
}

void worker::abort() {
  for (auto& s : sessions_->all)
    s.abort();
}

asio::awaitable<void> worker::accept_all() {
  while (!draining_) {
    boost::system::error_code ec;
    auto socket = co_await acceptor_.async_accept(
        asio::redirect_error(asio::use_awaitable, ec));
    if (!ec) {
      try {
        admit(std::move(socket));
      } catch (const std::exception&) {
        core_->count_connection_refused(); // no memory for one more
      }
    } else if (!draining_) {
      timer pause(io().get_executor(), accept_pause);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
  }
}

void worker::admit(tcp_socket socket) {
  boost::system::error_code ec;
  const auto peer = socket.remote_endpoint(ec);
  if (ec || draining_)
    return; // it has closed already
  if (!core_->connections.take())
    return refuse(std::move(socket));
  auto ip = peer.address().to_string();
  if (!core_->addresses.take(ip)) {
    core_->connections.give();
    return refuse(std::move(socket));
  }
  socket.set_option(tcp::no_delay(true), ec);
  auto s = std::make_shared<session>(shared_from_this(), std::move(socket),
                                     std::move(ip));
  core_->pool.spawn(index_, [s] { return s->run(); });
}

void worker::refuse(tcp_socket socket) {
  static constexpr std::string_view busy =
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
      "Retry-After: 1\r\nContent-Length: 0\r\n\r\n";
  core_->count_connection_refused();
  // Best effort: a full send buffer is not waited for.
  static_cast<void>(::send(socket.native_handle(), busy.data(), busy.size(),
                           MSG_NOSIGNAL | MSG_DONTWAIT));
}

void worker::add(session& s) {
  const bool first = sessions_->all.empty();
  sessions_->all.push_back(s);
  if (first)
    arm_sweeper();
}

void worker::remove(session& s) {
  sessions_->all.erase(sessions_->all.iterator_to(s));
}

void worker::arm_sweeper() {
  sweeper_.expires_after(sweep_interval_);
  sweeper_.async_wait(
      [weak = weak_from_this()](const boost::system::error_code& ec) {
        if (const auto me = weak.lock(); me && !ec)
          me->sweep();
      });
}

void worker::sweep() {
  const auto now = std::chrono::steady_clock::now();
  for (auto& s : sessions_->all)
    s.sweep(now);
  if (!sessions_->all.empty())
    arm_sweeper();
}

std::string_view worker::date(io_time now) {
  if (now >= date_until_) {
    const auto wall = core_->node.time().wall();
    date_ = http_date(wall);
    date_until_ = now + std::chrono::seconds{1}
                  - (wall - std::chrono::floor<std::chrono::seconds>(wall));
  }
  return date_;
}

bool worker::enter_request(bool held) {
  auto& counts = core_->counts[index_];
  auto& n = held ? counts.held : counts.in_work;
  if (n.load(std::memory_order_relaxed) >= (held ? held_max_ : requests_max_))
    return false;
  bump(n, 1);
  return true;
}

void worker::leave_request(bool held) {
  auto& counts = core_->counts[index_];
  bump(held ? counts.held : counts.in_work, std::size_t(0) - 1);
}

} // namespace muster::http
