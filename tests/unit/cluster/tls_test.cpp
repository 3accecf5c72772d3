// TLS between nodes: who is let in and whom a node talks to. Nobody without a
// node's certificate gets an answer, and nothing falls back to plain sockets.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/send.hpp>

#include "actors/runtime/peer_sockets.hpp"
#include "actors/runtime/tls_listener.hpp"
#include "tests/unit/cluster/tls_papers.hpp"
#include "tests/unit/runtime/whole_cluster.hpp"

using namespace muster;
using namespace std::chrono_literals;

namespace {

using runtime::owned_socket;
using test::tls_papers;
using test::whole_cluster;
using test::whole_node;

/// As the server does (run.cpp): OpenSSL writes to whatever is there.
const auto ignored = std::signal(SIGPIPE, SIG_IGN);

constexpr int patience_ms = 20'000;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  return at;
}

owned_socket connected_to(std::uint16_t port) {
  owned_socket s{socket(AF_INET, SOCK_STREAM, 0)};
  const auto at = loopback(port);
  REQUIRE(connect(s.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at)
          == 0);
  // No test waits for ever.
  const timeval longest{patience_ms / 1'000, 0};
  setsockopt(s.get(), SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest);
  return s;
}

std::uint16_t port_of(int fd) {
  sockaddr_in at{};
  socklen_t size = sizeof at;
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  return ntohs(at.sin_port);
}

owned_socket listening() {
  owned_socket s{socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
  const auto at = loopback(0);
  REQUIRE(bind(s.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at)
          == 0);
  REQUIRE(listen(s.get(), 128) == 0);
  return s;
}

/// Whether the other side has closed; what it said before is `said`.
bool closed(int fd, std::string& said) {
  char some[512];
  for (;;) {
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, patience_ms) != 1)
      return false;
    const auto got = recv(fd, some, sizeof some, 0);
    if (got <= 0)
      return got == 0 || errno == ECONNRESET;
    said.append(some, static_cast<std::size_t>(got));
  }
}

using context_ptr = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using ssl_ptr = std::unique_ptr<SSL, decltype(&SSL_free)>;

/// An OpenSSL of somebody else, who believes everybody.
context_ptr stranger(const ctl::identity* who,
                     int highest_version = TLS1_3_VERSION) {
  context_ptr out{SSL_CTX_new(TLS_method()), SSL_CTX_free};
  SSL_CTX_set_security_level(out.get(), 0);
  SSL_CTX_set_min_proto_version(out.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(out.get(), highest_version);
  if (who != nullptr) {
    REQUIRE(SSL_CTX_use_certificate(out.get(), who->certificate.get()) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey(out.get(), who->key.get()) == 1);
  }
  return out;
}

ssl_ptr over(SSL_CTX* context, int fd) {
  ssl_ptr out{SSL_new(context), SSL_free};
  REQUIRE(SSL_set_fd(out.get(), fd) == 1);
  return out;
}

/// Bytes that the node at `port` says to somebody, before it closes or once it
/// said so many; none: it was refused.
std::size_t heard(std::uint16_t port, SSL_CTX* as, std::size_t at_most) {
  const auto s = connected_to(port);
  const auto ssl = over(as, s.get());
  if (SSL_connect(ssl.get()) != 1)
    return 0;
  std::size_t all = 0;
  char some[64];
  for (int got = 1; got > 0 && all < at_most;
       all += static_cast<std::size_t>(std::max(got, 0)))
    got = SSL_read(ssl.get(), some, sizeof some);
  return all;
}

/// The certificates that let nobody in, by what is wrong with them.
std::vector<std::pair<std::string, ctl::identity>>
bad_papers(const tls_papers& ours, const tls_papers& others) {
  const auto node = tls_papers::node_at("127.0.0.1");
  std::vector<std::pair<std::string, ctl::identity>> out;
  const auto add = [&](const char* name, ctl::identity who) {
    out.emplace_back(name, std::move(who));
  };
  add("of another CA", others.signs(node));
  add("expired", ours.signs(node, tls_papers::from_to(-9, -1)));
  add("not valid yet", ours.signs(node, tls_papers::from_to(1, 9)));
  add("self-signed",
      test::made(ctl::issue(node, tls_papers::from_to(-1, 9), nullptr)));
  add("a client's", ours.signs({"client", {"127.0.0.1"}, {}}));
  add("of another role",
      ours.signs({"client", {"127.0.0.1"}, {"urn:muster:nodes"}}));
  add("the role as a host",
      ours.signs({"client", {"127.0.0.1", "urn.muster.node"}, {}}));
  return out;
}

config_key key_of(std::size_t number) {
  return {"public", "group", "d" + std::to_string(number)};
}

whole_cluster cluster_with(const tls_papers& papers) {
  return whole_cluster(
      [&](whole_node& n) { n.options.cluster->tls = papers.node(); });
}

/// An actor system of nobody's node.
struct outsider {
  struct with_middleman : caf::actor_system_config {
    with_middleman() { load<caf::io::middleman>(); }
  };
  with_middleman config;
  caf::actor_system system{config};
};

/// What connecting to that port comes to.
std::string reached(caf::actor_system& system, std::uint16_t port,
                    const runtime::tls_credentials_ptr& own,
                    milliseconds at_most = 10s) {
  caf::scoped_actor self{system};
  const auto sockets = runtime::spawn_peer_sockets(
      system, caf::actor_cast<caf::actor>(self), own, {.connect = at_most});
  std::string outcome;
  self->request(sockets, 15s, caf::connect_atom::value,
                std::string("127.0.0.1"), port)
      .receive(
          [&](const caf::node_id&, const caf::strong_actor_ptr&,
              const std::set<std::string>&) { outcome = "reached"; },
          [&](const caf::error& e) { outcome = api::from_caf(e).message; });
  self->send_exit(sockets, caf::exit_reason::user_shutdown);
  return outcome;
}

} // namespace

TEST_CASE("tls: a cluster elects, writes, and takes a node back") {
  const tls_papers papers;
  auto c = cluster_with(papers);
  for (std::size_t n = 0; n < 6; ++n)
    CHECK(c.publish(n % 3, key_of(n), "value")->code == errc::ok);
  c.stop(2);
  const auto publish = [&](std::size_t at, std::size_t key,
                           const std::string& content) {
    whole_node::wait([&] {
      const auto done = c.publish(at, key_of(key), content);
      return done && done->code == errc::ok;
    });
  };
  publish(0, 6, "value");
  c.restart(2);
  for (std::size_t n = 0; n < 7; ++n)
    whole_node::wait([&] { return c.content(2, key_of(n)) == "value"; });
  // More than one TLS record, and more than one read of a stream.
  const std::string big(3'000'000, 'x');
  publish(1, 7, big);
  for (std::size_t at = 0; at < 3; ++at)
    whole_node::wait([&] { return c.content(at, key_of(7)) == big; });
}

TEST_CASE("tls: the cluster port says nothing to who is not a node") {
  const tls_papers papers, others;
  auto c = cluster_with(papers);
  const auto port = c.nodes[0]->options.cluster->self.cluster_port;
  const auto good = papers.signs(tls_papers::node_at("127.0.0.1"));
  // The welcome, and CAF's first message.
  CHECK(heard(port, stranger(&good).get(), 2) >= 2);
  CHECK(heard(port, stranger(nullptr).get(), 1) == 0);
  for (const auto& [name, who] : bad_papers(papers, others)) {
    CAPTURE(name);
    CHECK(heard(port, stranger(&who).get(), 1) == 0);
  }
  CHECK(heard(port, stranger(&good, TLS1_2_VERSION).get(), 1) == 0);
  CHECK(heard(port, stranger(&good, TLS1_1_VERSION).get(), 1) == 0);
  SUBCASE("not to plain BASP either") {
    const auto s = connected_to(port);
    // A header of 0.17's handshake: 0x10 is the operation of a client.
    std::string basp(48, '\0');
    basp[3] = 0x10;
    REQUIRE(send(s.get(), basp.data(), basp.size(), MSG_NOSIGNAL) == 48);
    std::string said;
    CHECK(closed(s.get(), said));
    // Nothing, or a TLS alert (21).
    CHECK((said.empty() || (said[0] == 21 && said.size() < 16)));
  }
  CHECK(c.publish(1, key_of(1), "still")->code == errc::ok);
  whole_node::wait([&] { return c.content(0, key_of(1)) == "still"; });
}

TEST_CASE("tls: a node talks to nobody but nodes, and to the right one") {
  const tls_papers papers, others;
  outsider o;
  const auto own = papers.node();
  const auto outcome = [&](SSL_CTX* as) {
    const auto at = listening();
    const auto port = port_of(at.get());
    const std::jthread other([&] {
      pollfd came{at.get(), POLLIN, 0};
      poll(&came, 1, patience_ms);
      const owned_socket s{accept(at.get(), nullptr, nullptr)};
      if (as == nullptr)
        return; // a node without TLS would speak first; this one hangs up
      const auto ssl = over(as, s.get());
      SSL_accept(ssl.get());
    });
    return reached(o.system, port, own);
  };
  for (const auto& [name, who] : bad_papers(papers, others)) {
    CAPTURE(name);
    const auto why = outcome(stranger(&who).get());
    CHECK(why.find("certificate is not") != std::string::npos);
  }
  const auto elsewhere = papers.signs(tls_papers::node_at("10.1.1.1"));
  CHECK(outcome(stranger(&elsewhere).get()).find("mismatch")
        != std::string::npos);
  const auto right = papers.signs(tls_papers::node_at("127.0.0.1"));
  CHECK(outcome(stranger(&right, TLS1_2_VERSION).get()).find("TLS:")
        != std::string::npos);
  // A good certificate, but it ends before it says that it believes us.
  CHECK(outcome(stranger(&right).get()).find("closed") != std::string::npos);
  CHECK(outcome(nullptr).find("closed") != std::string::npos);
  // Mute: the kernel takes the connection, nobody else does.
  const auto mute = listening();
  CHECK(reached(o.system, port_of(mute.get()), own, 300ms).find("in time")
        != std::string::npos);
}

TEST_CASE("tls: a node hears from the other why it is refused") {
  const tls_papers papers, others;
  outsider o;
  auto at = listening();
  const auto port = port_of(at.get());
  const runtime::tls_listener door(papers.node(), std::move(at), owned_socket{},
                                   5s);
  // It believes the other's CA, which does not believe its own.
  const auto lost = others.signs(tls_papers::node_at("127.0.0.1"));
  auto files = papers.files_of(lost);
  const auto own_ca = others.files_of(lost).ca;
  std::ifstream first(files.ca), second(own_ca);
  files.ca =
      papers.file(std::string{std::istreambuf_iterator<char>(first), {}}
                  + std::string{std::istreambuf_iterator<char>(second), {}});
  const auto own =
      test::made(runtime::tls_credentials::load(files, "127.0.0.1"));
  CHECK(reached(o.system, port, own).find("alert unknown ca")
        != std::string::npos);
}

TEST_CASE("tls: who says nothing is sent away and keeps nobody out") {
  const tls_papers papers;
  auto at = listening();
  const auto port = port_of(at.get());
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
  const owned_socket bell{ends[1]};
  runtime::tls_listener door(papers.node(), std::move(at),
                             owned_socket{ends[0]}, 1s);
  std::vector<owned_socket> mute;
  for (int i = 0; i < 100; ++i)
    mute.push_back(connected_to(port));
  const auto good = papers.signs(tls_papers::node_at("127.0.0.1"));
  CHECK(heard(port, stranger(&good).get(), 1) == 1);
  pollfd rung{bell.get(), POLLIN, 0};
  REQUIRE(poll(&rung, 1, patience_ms) == 1);
  CHECK(door.take().has_value());
  CHECK_FALSE(door.take().has_value());
  for (const auto& each : mute) {
    std::string said;
    CHECK(closed(each.get(), said));
  }
}

TEST_CASE("tls: nodes with and without TLS do not talk to each other") {
  const tls_papers papers;
  const auto secure = cluster_with(papers);
  const whole_cluster plain;
  outsider o;
  const auto port = [](const whole_cluster& of) {
    return of.nodes[0]->options.cluster->self.cluster_port;
  };
  CHECK(reached(o.system, port(secure), papers.node()) == "reached");
  CHECK(reached(o.system, port(plain), nullptr) == "reached");
  CHECK(reached(o.system, port(secure), nullptr) != "reached");
  CHECK(reached(o.system, port(plain), papers.node()).find("TLS: ") == 0);
}

TEST_CASE("tls: wrong files are named with their setting") {
  const tls_papers papers, others;
  const auto node = tls_papers::node_at("127.0.0.1");
  const auto good = papers.files_of(papers.signs(node));
  CHECK(runtime::tls_credentials::load(good, "127.0.0.1"));
  const auto why = [](const runtime::tls_files& files) {
    const auto read = runtime::tls_credentials::load(files, "127.0.0.1");
    return read ? std::string("none") : read.error().message;
  };
  const auto with = [&](std::string runtime::tls_files::*which,
                        const std::string& path) {
    auto files = good;
    files.*which = path;
    return why(files);
  };
  using files = runtime::tls_files;
  const auto garbage = papers.file("garbage");
  for (const auto& [which, name] :
       {std::pair{&files::ca, "cluster.tls.ca: "},
        {&files::certificate, "cluster.tls.certificate: "},
        {&files::key, "cluster.tls.key: "}})
    for (const auto& path : {std::string("/nowhere/x.pem"), garbage,
                             papers.file(""), std::string("/")}) {
      CAPTURE(path);
      CHECK(with(which, path).starts_with(name));
    }
  CHECK(with(&files::key, papers.files_of(papers.signs(node)).key)
            .find("is not the key of")
        != std::string::npos);
  CHECK(with(&files::ca, others.files_of(others.signs(node)).ca)
            .find("is not good with the CA")
        != std::string::npos);
  for (const auto& [name, who] : bad_papers(papers, others)) {
    CAPTURE(name);
    CHECK(why(papers.files_of(who)).starts_with("cluster.tls.certificate: "));
  }
  CHECK(why(papers.files_of(papers.signs(tls_papers::node_at("n1.example"))))
            .find("is not for 127.0.0.1")
        != std::string::npos);
}
