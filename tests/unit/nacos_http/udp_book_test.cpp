// UDP push: subscriptions, who is told what, and acknowledgements; time is an
// argument.
#include <doctest/doctest.h>

#include <algorithm>

#include "protocols/nacos/udp/push_book.hpp"

using namespace muster;
using namespace muster::nacos::udp;
using namespace std::chrono_literals;

namespace {

using polled = push_book::polled;

const service_key key_s{"public", "g", "s"};
const steady_time start{1h};

endpoint client(std::uint16_t port, std::string_view ip = "10.0.0.1") {
  return {boost::asio::ip::make_address(ip), port};
}

naming::service_view_ptr view(std::uint64_t version, std::size_t hosts = 1,
                              const service_key& key = key_s) {
  auto v = std::make_shared<naming::service_view>();
  v->key = key;
  v->version = version;
  v->hosts.resize(hosts);
  return v;
}

push_book make(book_rules rules = {}) {
  return push_book{rules, 100};
}

/// Who is told, as sorted ports.
std::vector<int> ports(const std::vector<push_of>& told) {
  std::vector<int> out;
  for (const auto& each : told)
    for (const auto& to : each.what.to)
      out.push_back(to.port());
  std::ranges::sort(out);
  return out;
}

using list = std::vector<int>;

} // namespace

TEST_CASE("udp book: a change is told once to those who have not seen it") {
  auto book = make();
  CHECK(book.poll(key_s, "", client(1), 5, start) == polled::behind);
  CHECK(book.poll(key_s, "", client(2), 6, start) == polled::behind);
  CHECK(book.knows(key_s));
  // What a watch begins with: one poll was answered with an older view.
  CHECK(ports(book.tell(view(6), start)) == list{1});
  CHECK(ports(book.tell(view(6), start)).empty());
  CHECK(book.poll(key_s, "", client(3), 6, start) == polled::current);
  CHECK(ports(book.tell(view(7), start)) == list{1, 2, 3});
  CHECK(ports(book.tell(view(6), start)).empty());
  CHECK(book.tell(view(1, 1, {"public", "g", "other"}), start).empty());
}

TEST_CASE("udp book: one datagram for all who want the same clusters") {
  auto book = make();
  for (std::uint16_t port = 1; port <= 3; ++port)
    book.poll(key_s, port == 3 ? "a,b" : "", client(port), 1, start);
  const auto told = book.tell(view(2), start);
  REQUIRE(told.size() == 2);
  CHECK(told[0].what.clusters.empty());
  CHECK(ports({told[0]}) == list{1, 2});
  CHECK(told[1].what.clusters == "a,b");
  CHECK(ports({told[1]}) == list{3});
  CHECK(told[0].what.id == 100);
  CHECK(told[1].what.id == 101);
  CHECK(told[0].view->version == 2);
}

TEST_CASE("udp book: no list and an empty list are the same") {
  auto book = make();
  book.poll(key_s, "", client(1), 0, start);
  CHECK(book.tell(view(1, 0), start).empty());
  CHECK(ports(book.tell(view(2, 1), start)) == list{1});
  CHECK(ports(book.tell(view(3, 0), start)) == list{1});
}

TEST_CASE("udp book: a push that overtook a poll's answer is told again") {
  auto book = make();
  book.poll(key_s, "", client(1), 5, start);
  CHECK(ports(book.tell(view(6), start)) == list{1});
  CHECK(book.poll(key_s, "", client(1), 5, start + 1s) == polled::behind);
  CHECK(ports(book.tell(view(6), start + 1s)) == list{1});
  // An answer with the newest view is as good as an acknowledgement.
  CHECK(book.poll(key_s, "", client(1), 6, start + 2s) == polled::current);
  CHECK(book.tick(start + 14s).again.empty());
}

TEST_CASE("udp book: without acknowledgement one retry, then it is given up") {
  auto book = make();
  book.poll(key_s, "", client(1), 1, start);
  book.poll(key_s, "", client(2), 1, start);
  book.poll(key_s, "", client(3), 1, start);
  const auto told = book.tell(view(2), start);
  const auto id = told.at(0).what.id;
  CHECK(book.next_due() == start + 10s);
  CHECK(book.awaits(client(1), id));
  CHECK(book.acknowledge(client(1), id));
  CHECK_FALSE(book.awaits(client(1), id));
  CHECK_FALSE(book.acknowledge(client(1), id));
  CHECK_FALSE(book.acknowledge(client(2), id + 1));
  CHECK_FALSE(book.acknowledge(client(4), id));
  CHECK_FALSE(book.awaits_any(client(1)));
  CHECK(book.awaits_any(client(2)));
  CHECK(book.tick(start + 9'999ms).again.empty());
  for (std::uint16_t port = 1; port <= 3; ++port)
    book.poll(key_s, "", client(port), 1, start + 9'999ms);
  const auto first = book.tick(start + 10s);
  REQUIRE(first.again.size() == 1);
  CHECK(first.again[0].what.id == id);
  CHECK(first.again[0].view->version == 2);
  CHECK(ports(first.again) == list{2, 3});
  CHECK(first.given_up == 0);
  CHECK(book.acknowledge(client(3), id));
  const auto last = book.tick(start + 20s);
  CHECK(last.again.empty());
  CHECK(last.given_up == 1);
  CHECK_FALSE(book.awaits(client(2), id));
}

TEST_CASE("udp book: an older push is not repeated after a newer one") {
  auto book = make();
  book.poll(key_s, "", client(1), 1, start);
  const auto older = book.tell(view(2), start).at(0).what.id;
  const auto newer = book.tell(view(3), start + 5s).at(0).what.id;
  CHECK_FALSE(book.awaits(client(1), older));
  CHECK_FALSE(book.acknowledge(client(1), older));
  CHECK(book.tick(start + 10s).again.empty());
  CHECK(book.next_due() == start + 15s);
  CHECK(book.acknowledge(client(1), newer));
}

TEST_CASE("udp book: a subscription ends when the client polls no more") {
  auto book = make();
  book.poll(key_s, "", client(1), 1, start);
  book.poll(key_s, "b", client(1), 1, start + 1s);
  book.poll(key_s, "", client(1), 1, start + 10s);
  CHECK(book.size() == 2);
  CHECK(book.next_due() == start + 16s);
  CHECK(book.tick(start + 16s).unwatched.empty());
  CHECK(book.size() == 1);
  CHECK(ports(book.tell(view(2), start + 16s)) == list{1});
  const auto last = book.tick(start + 25s);
  CHECK(last.unwatched == std::vector{key_s});
  CHECK(last.again.empty());
  CHECK(book.size() == 0);
  CHECK_FALSE(book.knows(key_s));
  CHECK_FALSE(book.awaits_any(client(1)));
  CHECK(book.next_due() == std::nullopt);
  CHECK(book.tell(view(3), start + 26s).empty());
}

TEST_CASE("udp book: bounds of all, of one address, of the clusters' text") {
  book_rules rules;
  rules.subscriptions_max = 3;
  rules.per_address_max = 2;
  rules.clusters_bytes_max = 4;
  auto book = make(rules);
  CHECK(book.poll(key_s, "12345", client(1), 1, start) == polled::refused);
  CHECK(book.poll(key_s, "1234", client(1), 1, start) != polled::refused);
  CHECK(book.poll(key_s, "", client(2), 1, start) != polled::refused);
  CHECK(book.poll(key_s, "", client(3), 1, start) == polled::refused);
  const auto other = [](std::uint16_t port) {
    return client(port, "2001:db8::1");
  };
  CHECK(book.poll(key_s, "", other(1), 1, start) != polled::refused);
  CHECK(book.poll(key_s, "", other(2), 1, start) == polled::refused);
  // Who is in renews, and an end makes room.
  CHECK(book.poll(key_s, "", other(1), 1, start + 10s) != polled::refused);
  book.tick(start + 15s);
  CHECK(book.size() == 1);
  CHECK(book.poll(key_s, "", client(3), 1, start + 15s) != polled::refused);
}
