#include "protocols/http/server.hpp"

#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocols/http/core.hpp"
#include "protocols/http/worker.hpp"

namespace muster::http {

namespace {

using reuse_port =
    asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

/// Time that connections have to close once they were told to.
constexpr milliseconds abort_wait{1000};
/// How often, and how far apart, a port that is taken is tried.
constexpr int port_tries = 20;
constexpr milliseconds port_retry{50};

error cannot_listen(const std::string& bind, std::uint16_t port,
                    const boost::system::error_code& ec) {
  return {errc::failed_precondition, "cannot listen on " + bind + " port "
                                         + std::to_string(port) + ": "
                                         + ec.message()};
}

/// SO_REUSEPORT would let a second process share the port unnoticed: see first
/// whether it is free.
boost::system::error_code probe(asio::io_context& io, tcp::endpoint where) {
  boost::system::error_code ec;
  if (where.port() == 0)
    return ec;
  tcp_acceptor acceptor(io);
  if (acceptor.open(where.protocol(), ec))
    return ec;
  acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec && !acceptor.bind(where, ec))
    acceptor.listen(1, ec);
  return ec;
}

boost::system::error_code listen(tcp_acceptor& acceptor, tcp::endpoint where) {
  boost::system::error_code ec;
  if (acceptor.open(where.protocol(), ec)
      || acceptor.set_option(tcp::acceptor::reuse_address(true), ec)
      || acceptor.set_option(reuse_port(true), ec) || acceptor.bind(where, ec))
    return ec;
  return acceptor.listen(asio::socket_base::max_listen_connections, ec);
}

/// A listener for every thread of the pool, or none.
boost::system::error_code listen_all(common::io_pool& pool, tcp::endpoint where,
                                     std::vector<tcp_acceptor>& out) {
  auto ec = probe(pool.io(0), where);
  for (std::size_t i = 0; !ec && i < pool.size(); ++i) {
    auto& acceptor = out.emplace_back(pool.io(i));
    ec = listen(acceptor, where);
    // Port 0: the first socket draws one, the others join it.
    if (!ec)
      where.port(acceptor.local_endpoint().port());
  }
  if (ec)
    out.clear();
  return ec;
}

/// Connections of a predecessor that was killed may hold the port for a moment.
boost::system::error_code
listen_patiently(common::io_pool& pool, tcp::endpoint where,
                 std::vector<tcp_acceptor>& out) {
  asio::io_context waiting;
  for (int tries = port_tries;; --tries) {
    const auto ec = listen_all(pool, where, out);
    if (ec != asio::error::address_in_use || tries == 1)
      return ec;
    asio::steady_timer(waiting, port_retry).wait();
  }
}

} // namespace

struct server::impl {
  std::shared_ptr<server_core> core;
  std::vector<std::shared_ptr<worker>> workers;
  std::uint16_t port = 0;

  /// Calls `f` on every worker's thread.
  template <class F>
  void on_all(F f) {
    for (auto& w : workers)
      asio::post(w->io(), [w, f] { f(*w); });
  }
};

server::server(server_settings settings, api::node& node, common::io_pool& pool,
               std::span<const common::product> products,
               std::shared_ptr<common::metrics_registry> metrics)
    : impl_(std::make_unique<impl>()) {
  impl_->core =
      std::make_shared<server_core>(std::move(settings), node, pool, products);
  metrics->add(impl_->core);
  metrics->add(impl_->core->metrics);
  impl_->core->registry = std::move(metrics);
}

server::~server() {
  stop(milliseconds{0});
}

result<void> server::start() {
  auto& core = *impl_->core;
  const auto& bind = core.settings.bind;
  auto port = core.settings.port;
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(bind, ec);
  std::vector<tcp_acceptor> acceptors;
  if (!ec)
    ec = listen_patiently(core.pool, {address, port}, acceptors);
  if (ec)
    return std::unexpected(cannot_listen(bind, port, ec));
  port = acceptors.front().local_endpoint().port();
  impl_->port = port;
  for (std::size_t i = 0; i < acceptors.size(); ++i) {
    impl_->workers.push_back(
        std::make_shared<worker>(impl_->core, i, std::move(acceptors[i])));
    impl_->workers.back()->start();
  }
  return {};
}

void server::stop(milliseconds grace) {
  if (impl_->workers.empty())
    return;
  impl_->on_all([](worker& w) { w.drain(); });
  if (!impl_->core->wait_empty(grace)) {
    impl_->on_all([](worker& w) { w.abort(); });
    impl_->core->wait_empty(abort_wait);
  }
  impl_->workers.clear();
}

std::uint16_t server::port() const noexcept {
  return impl_->port;
}

std::size_t server::connections() const noexcept {
  return impl_->core->connections.in_use();
}

std::size_t server::requests_open() const noexcept {
  return impl_->core->in_work() + impl_->core->held();
}

std::size_t server::body_bytes_open() const noexcept {
  return impl_->core->body_bytes.in_use();
}

} // namespace muster::http
