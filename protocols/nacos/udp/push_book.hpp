#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "actors/core/base/clock.hpp"
#include "actors/core/naming/view.hpp"
#include "protocols/nacos/udp/target.hpp"

namespace muster::nacos::udp {

struct book_rules {
  /// All subscriptions of the node. One takes some 400 bytes, and a watch of
  /// 4 KiB if no other has that service: at most 100 MiB together.
  std::size_t subscriptions_max = 20'000;
  /// Of one address: no client machine can take them all.
  std::size_t per_address_max = 5'000;
  /// A longer list of clusters is refused: it is kept for each subscription.
  std::size_t clusters_bytes_max = 1'024;
  /// From a client's last poll on. Clients poll again `cacheMillis`, 10 s,
  /// after the last answer; half as much again, for one that comes late.
  milliseconds kept{15'000};
  /// Until a datagram that was not acknowledged is sent once more, and from
  /// then on until it is given up (Nacos' ACK_TIMEOUT).
  milliseconds ack_wait{10'000};
};

/// One view to be told: the same datagram for all of `to`.
struct push {
  std::string clusters;
  std::uint64_t id = 0;
  std::vector<endpoint> to;
};

/// A push and the view that it tells of.
struct push_of {
  naming::service_view_ptr view;
  push what;
};

/// What time has brought.
struct due {
  /// Not acknowledged, to be sent once more.
  std::vector<push_of> again;
  /// Datagrams that were not acknowledged the second time either.
  std::size_t given_up = 0;
  /// Services whose last subscription has ended.
  std::vector<service_key> unwatched;
};

/// Who is subscribed to which services over UDP, which view each has been told,
/// and which acknowledgements are awaited.
///
/// Pure: no socket, no clock. Owned by the pusher, one thread. A subscription
/// is a service, a list of clusters and an address; it awaits the
/// acknowledgement of its newest push only, since an older one must not be
/// repeated after it. Every call but `tell` and `tick` costs O(log n); those
/// cost what they give back and, `tell`, the subscriptions of that service.
class push_book {
public:
  /// Ids of pushes count up from `first_id`, which is to be below 2^53: clients
  /// in JavaScript send the number back as a double.
  push_book(book_rules rules, std::uint64_t first_id);

  enum class polled : std::uint8_t {
    refused, ///< over a bound: nothing was kept
    current, ///< the answer to the poll was the newest view
    behind,  ///< `tell` has something newer, or knows nothing yet
  };
  /// A client has been answered with the view of version `told` (0: nobody knew
  /// the service). Begins or renews its subscription.
  polled poll(const service_key& key, std::string_view clusters,
              const endpoint& client, std::uint64_t told, steady_time now);

  /// Whether anybody is subscribed to the service.
  bool knows(const service_key& key) const { return services_.contains(key); }

  /// Who is to be told of `view`, or of a newer one that was told here before.
  /// They count as told from now on, and their acknowledgement is awaited.
  std::vector<push_of> tell(const naming::service_view_ptr& view,
                            steady_time now);

  /// Whether the acknowledgement of push `id` by `client` is still awaited; if
  /// not, it is not to be sent (any more).
  bool awaits(const endpoint& client, std::uint64_t id) const {
    return awaited_.contains({client, id});
  }
  /// Whether any acknowledgement of that client is awaited.
  bool awaits_any(const endpoint& client) const;
  /// False if there was none to wait for.
  bool acknowledge(const endpoint& client, std::uint64_t id);

  /// Ends what has lasted `kept`, repeats or gives up what was not
  /// acknowledged.
  due tick(steady_time now);
  /// The next moment at which `tick` has something to do.
  std::optional<steady_time> next_due() const;

  std::size_t size() const noexcept { return subscriptions_.size(); }

private:
  struct audience_entry;
  struct subscription {
    audience_entry* in = nullptr;
    endpoint client;
    std::uint64_t told = 0; ///< version of the view
    steady_time ends{};
    /// The push whose acknowledgement is awaited; 0 = none.
    std::uint64_t awaited = 0;
    bool repeated = false;
    steady_time ack_due{};
    /// In `awaiting_`, if `awaited` is not 0.
    std::list<subscription*>::iterator place{};
  };
  using place = std::list<subscription>::iterator;
  struct service_entry;
  /// Those who want the same clusters of a service.
  struct audience_entry {
    service_entry* of = nullptr;
    std::string clusters;
    std::map<endpoint, place> clients;
  };
  struct service_entry {
    service_key key;
    naming::service_view_ptr newest; ///< null: none was told yet
    std::map<std::string, audience_entry, std::less<>> audiences;
  };

  bool may_add(std::string_view clusters, const endpoint& client) const;
  place add(const service_key& key, std::string_view clusters,
            const endpoint& client);
  place find(const service_key& key, std::string_view clusters,
             const endpoint& client);
  /// The service's key, if that was its last subscription.
  std::optional<service_key> end(place which);
  void await(subscription& one, std::uint64_t id, steady_time now);
  void settle(subscription& one);
  bool is_news(const subscription& one,
               const naming::service_view& view) const noexcept;

  const book_rules rules_;
  std::uint64_t next_id_;
  std::unordered_map<service_key, service_entry, key_hash, key_equal> services_;
  /// In the order of their ends.
  std::list<subscription> subscriptions_;
  /// Those that await an acknowledgement, in the order of `ack_due`.
  std::list<subscription*> awaiting_;
  std::map<std::pair<endpoint, std::uint64_t>, subscription*> awaited_;
  std::map<boost::asio::ip::address, std::size_t> by_address_;
};

} // namespace muster::nacos::udp
