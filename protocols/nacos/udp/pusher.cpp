#include "protocols/nacos/udp/pusher.hpp"

#include <algorithm>
#include <array>
#include <future>
#include <unordered_map>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "protocols/common/ask.hpp"
#include "protocols/nacos/codec/instance_json.hpp"
#include "protocols/nacos/udp/datagram.hpp"

namespace muster::nacos::udp {

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::udp;
using common::ask;
using common::gateway;

namespace {

/// Between attempts to watch a service whose actor does not answer.
constexpr milliseconds watch_again{1'000};
/// A watch waits for news; it is woken when nobody is subscribed any more.
constexpr milliseconds watch_wait{3'600'000};
/// After an error of the socket, so that it cannot keep the thread busy.
constexpr milliseconds receive_again{100};
/// Longest wait for the thread that closes the socket.
constexpr std::chrono::seconds stop_wait{5};
/// Datagrams in one go; requests of the same thread come between.
constexpr std::size_t slice = 64;
/// Ids are drawn from the time, so that those of a restart are others: 2^53
/// microseconds are 285 years.
constexpr std::uint64_t ids_per_ms = 1'000;

result<udp::socket> open_socket(asio::io_context& io, const std::string& bind) {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(bind, ec);
  udp::socket socket(io);
  const udp::endpoint from{address, 0};
  if (!ec)
    socket.open(from.protocol(), ec);
  if (!ec && address.is_v6())
    socket.set_option(asio::ip::v6_only(false), ec);
  if (!ec)
    socket.bind(from, ec);
  if (!ec)
    socket.non_blocking(true, ec);
  if (ec)
    return fail(errc::unavailable,
                "no UDP socket at " + bind + ": " + ec.message());
  return socket;
}

/// Services that are watched, with the inbox to wake; null until there is one.
using watch_map =
    std::unordered_map<service_key, gateway::inbox*, key_hash, key_equal>;

/// Takes a watch out of the map however it ends.
struct watch_entry {
  ~watch_entry() { map.erase(key); }
  watch_map& map;
  const service_key& key;
};

} // namespace

struct pusher::core : std::enable_shared_from_this<pusher::core> {
  core(api::node& n, common::io_pool& p, udp::socket s, book_rules rules)
      : node(n), pool(p), socket(std::move(s)), timer(p.io(io_index)),
        port(socket.local_endpoint().port()),
        v6(socket.local_endpoint().address().is_v6()),
        book(rules, to_unix_ms(n.time().wall()) * ids_per_ms) {
    // nop
  }

  steady_time now() const { return node.time().steady(); }
  naming::service_view_ptr view_of(const service_key& key) const {
    const auto slot = node.services().find(key.view());
    return slot ? slot->view() : nullptr;
  }

  void poll(const service_key& key, const std::string& clusters,
            const endpoint& client, std::uint64_t told);
  awaitable<void> watch(service_key key);
  awaitable<bool> begin_watch(const service_key& key, gateway::inbox& inbox);
  awaitable<void> tell(naming::service_view_ptr view);
  awaitable<void> send(push_of one);
  void send_to(const endpoint& client, const std::string& datagram);
  awaitable<void> receive();
  void take(const endpoint& from, std::string_view datagram);
  void arm();
  void tick();
  void close();

  /// Runs a coroutine that keeps this alive.
  template <class Coroutine>
  void run(Coroutine coroutine) {
    common::io_pool::spawn_here(
        [me = shared_from_this(),
         coroutine = std::move(coroutine)]() -> awaitable<void> {
          co_await coroutine(*me);
        });
  }

  static constexpr std::size_t io_index = 0;

  api::node& node;
  common::io_pool& pool;
  udp::socket socket;
  asio::steady_timer timer;
  std::optional<steady_time> armed;
  const std::uint16_t port;
  const bool v6;
  push_book book;
  watch_map watches;
  const std::shared_ptr<counts> counted = std::make_shared<counts>();
  bool closed = false;
};

// -- subscriptions and watches ------------------------------------------------

void pusher::core::poll(const service_key& key, const std::string& clusters,
                        const endpoint& client, std::uint64_t told) {
  if (closed)
    return;
  const auto answer = book.poll(key, clusters, client, told, now());
  if (answer == push_book::polled::refused) {
    counted->add(happened::refused);
    return;
  }
  counted->set_subscriptions(book.size());
  arm();
  if (!watches.contains(key)) {
    watches.emplace(key, nullptr);
    run([key](core& c) { return c.watch(key); });
  } else if (answer == push_book::polled::behind) {
    if (const auto view = view_of(key))
      run([view](core& c) { return c.tell(view); });
  }
}

/// Lives while somebody is subscribed to the service.
awaitable<void> pusher::core::watch(service_key key) {
  const auto inbox = gateway::here().open_inbox();
  const watch_entry entry{watches, key};
  watches[key] = inbox.get();
  bool registered = false;
  while (!closed && book.knows(key)) {
    if (!registered)
      registered = co_await begin_watch(key, *inbox);
    co_await inbox->wait(now() + (registered ? watch_wait : watch_again));
    const auto fired = inbox->take_services();
    const bool missed = inbox->take_overflow();
    if (inbox->take_lost())
      registered = false;
    else if (missed)
      co_await tell(view_of(key));
    else if (!fired.empty())
      co_await tell(fired.back()->view);
  }
}

/// Registers first; what the subscribers have not seen by then is told at once.
awaitable<bool> pusher::core::begin_watch(const service_key& key,
                                          gateway::inbox& inbox) {
  api::open_service open;
  open.key = key;
  const auto opened = co_await ask(node.namespaces(), std::move(open));
  if (!opened)
    co_return false;
  const auto view = co_await inbox.watch(opened->slot->actor());
  if (!view)
    co_return false;
  co_await tell(*view);
  co_return true;
}

// -- sending ------------------------------------------------------------------

awaitable<void> pusher::core::tell(naming::service_view_ptr view) {
  if (!view || closed)
    co_return;
  auto news = book.tell(view, now());
  arm();
  for (auto& one : news)
    co_await send(std::move(one));
}

awaitable<void> pusher::core::send(push_of one) {
  std::string info;
  common::json_out out(info);
  write_service_info(out, *one.view, {one.what.clusters}, list_form_v1);
  const auto datagram = encode_push(info, one.what.id);
  if (!datagram) {
    counted->add(happened::too_long);
    for (const auto& client : one.what.to)
      book.acknowledge(client, one.what.id);
    co_return;
  }
  std::size_t n = 0;
  for (const auto& client : one.what.to) {
    if (++n % slice == 0)
      co_await asio::post(pool.io(io_index), asio::use_awaitable);
    // Acknowledged, ended or followed by a newer one meanwhile.
    if (!closed && book.awaits(client, one.what.id))
      send_to(client, *datagram);
  }
}

void pusher::core::send_to(const endpoint& client,
                           const std::string& datagram) {
  auto to = client;
  if (v6 && to.address().is_v4())
    to.address(
        asio::ip::make_address_v6(asio::ip::v4_mapped, to.address().to_v4()));
  boost::system::error_code ec;
  socket.send_to(asio::buffer(datagram), to, 0, ec);
  counted->add(ec ? happened::failed : happened::sent);
}

// -- acknowledgements ---------------------------------------------------------

awaitable<void> pusher::core::receive() {
  // One byte more than an acknowledgement may have: what fills it is none.
  std::array<char, ack_bytes_max + 1> buffer;
  endpoint from;
  asio::steady_timer pause(pool.io(io_index));
  while (!closed) {
    boost::system::error_code ec;
    const auto n = co_await socket.async_receive_from(
        asio::buffer(buffer), from,
        asio::redirect_error(asio::use_awaitable, ec));
    if (!ec) {
      take({plain(from.address()), from.port()}, {buffer.data(), n});
    } else if (!closed) {
      pause.expires_after(receive_again);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
  }
}

void pusher::core::take(const endpoint& from, std::string_view datagram) {
  // Who was sent nothing is not even read.
  const bool expected =
      datagram.size() <= ack_bytes_max && book.awaits_any(from);
  const auto id = expected ? parse_ack(datagram) : std::nullopt;
  const bool good = id && book.acknowledge(from, *id);
  counted->add(good ? happened::acknowledged : happened::ack_ignored);
}

// -- time ---------------------------------------------------------------------

void pusher::core::arm() {
  const auto next = book.next_due();
  if (!next || closed || (armed && *armed <= *next))
    return;
  armed = next;
  timer.expires_after(std::max(milliseconds{0}, *next - now()));
  timer.async_wait([me = shared_from_this()](boost::system::error_code ec) {
    if (ec || me->closed)
      return;
    me->armed.reset();
    me->tick();
    me->arm();
  });
}

void pusher::core::tick() {
  auto brought = book.tick(now());
  counted->set_subscriptions(book.size());
  counted->add(happened::given_up, brought.given_up);
  for (auto& one : brought.again) {
    counted->add(happened::retried, one.what.to.size());
    run([one = std::move(one)](core& c) { return c.send(one); });
  }
  for (const auto& key : brought.unwatched)
    if (const auto known = watches.find(key);
        known != watches.end() && known->second)
      known->second->wake();
}

void pusher::core::close() {
  closed = true;
  boost::system::error_code ignored;
  socket.close(ignored);
  timer.cancel();
  for (const auto& [key, inbox] : watches)
    if (inbox)
      inbox->wake();
}

// -- the public side ----------------------------------------------------------

pusher::pusher(std::shared_ptr<core> c) : core_(std::move(c)) {
  // nop
}

pusher::~pusher() {
  stop();
}

result<std::unique_ptr<pusher>>
pusher::open(api::node& node, common::io_pool& pool, pusher_settings settings) {
  auto socket = open_socket(pool.io(core::io_index), settings.bind);
  if (!socket)
    return std::unexpected(socket.error());
  auto c =
      std::make_shared<core>(node, pool, std::move(*socket), settings.rules);
  pool.spawn(core::io_index, [c]() -> awaitable<void> { return c->receive(); });
  return std::unique_ptr<pusher>(new pusher(std::move(c)));
}

void pusher::subscribe(service_key key, std::string clusters,
                       const endpoint& client, std::uint64_t told) {
  asio::post(core_->pool.io(core::io_index),
             [c = core_, key = std::move(key), clusters = std::move(clusters),
              client, told] { c->poll(key, clusters, client, told); });
}

std::uint16_t pusher::port() const noexcept {
  return core_->port;
}

std::shared_ptr<const counts> pusher::counted() const noexcept {
  return core_->counted;
}

std::shared_ptr<prometheus::Collectable> pusher::metrics() const noexcept {
  return core_->counted;
}

void pusher::stop() {
  if (std::exchange(stopped_, true))
    return;
  auto closed = std::make_shared<std::promise<void>>();
  const auto done = closed->get_future();
  asio::post(core_->pool.io(core::io_index), [c = core_, closed] {
    c->close();
    closed->set_value();
  });
  done.wait_for(stop_wait);
}

} // namespace muster::nacos::udp
