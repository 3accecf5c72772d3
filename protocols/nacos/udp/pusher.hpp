#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "actors/api/node.hpp"
#include "protocols/common/io_pool.hpp"
#include "protocols/nacos/udp/counts.hpp"
#include "protocols/nacos/udp/push_book.hpp"

namespace muster::nacos::udp {

struct pusher_settings {
  /// Datagrams come from this address and a port that the kernel draws, as
  /// Nacos' do. An IPv6 wildcard serves IPv4 as well.
  std::string bind = "0.0.0.0";
  book_rules rules = {};
};

/// Tells clients of Nacos 1.x of changes of the services they poll. Source:
/// nacos-http 3.7.
///
/// Owned by the node's wiring; node and pool must outlive it, and the HTTP
/// server, whose handlers call `subscribe`, is stopped first. Works on the
/// pool's first thread: the socket, the watches of the services and all
/// bookkeeping are of that thread. Nothing is waited for: a datagram that the
/// kernel does not take at once counts as lost.
class pusher {
public:
  /// Opens the socket; the pool must be running. `unavailable` if there is none
  /// to be had at that address.
  static result<std::unique_ptr<pusher>>
  open(api::node& node, common::io_pool& pool, pusher_settings settings);
  /// Stops if `stop` was not called.
  ~pusher();
  pusher(const pusher&) = delete;
  pusher& operator=(const pusher&) = delete;

  /// A poll of `client` for these clusters was answered with the view of
  /// version `told` (0: nobody knew the service): newer ones are pushed until
  /// `book_rules::kept` has passed. Any thread, does not wait; beyond a bound
  /// it is only counted, for the client polls on anyway.
  void subscribe(service_key key, std::string clusters, const endpoint& client,
                 std::uint64_t told);

  /// The port that pushes come from and acknowledgements go to.
  std::uint16_t port() const noexcept;
  /// Any thread; for the metrics registry and tests.
  std::shared_ptr<const counts> counted() const noexcept;
  std::shared_ptr<prometheus::Collectable> metrics() const noexcept;

  /// Closes the socket and ends all subscriptions. Idempotent, from no thread
  /// of the pool, while the pool still runs.
  void stop();

private:
  struct core;
  explicit pusher(std::shared_ptr<core> c);
  const std::shared_ptr<core> core_;
  bool stopped_ = false;
};

} // namespace muster::nacos::udp
