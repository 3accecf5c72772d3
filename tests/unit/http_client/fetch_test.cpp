// One request over a real socket, to a server that answers what a test wants.
#include <doctest/doctest.h>

#include <functional>
#include <thread>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocols/http_client/fetch.hpp"

using namespace muster;
using namespace muster::http_client;

namespace {

/// Takes one connection, reads a head, sends `answer`, closes when told to.
class one_answer {
public:
  explicit one_answer(std::string answer, bool stay_open = false)
      : listening_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(bind(listening_, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(getsockname(listening_, reinterpret_cast<sockaddr*>(&at), &size)
            == 0);
    REQUIRE(listen(listening_, 1) == 0);
    port = ntohs(at.sin_port);
    thread_ = std::thread([this, text = std::move(answer), stay_open] {
      serve(text, stay_open);
    });
  }
  ~one_answer() {
    thread_.join();
    close(listening_);
  }

  std::uint16_t port = 0;
  std::string head; ///< to be read once the answer is there

private:
  void serve(const std::string& text, bool stay_open) {
    const int fd = accept(listening_, nullptr, nullptr);
    char buffer[4096];
    while (head.find("\r\n\r\n") == std::string::npos) {
      const auto got = recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0)
        break;
      head.append(buffer, static_cast<std::size_t>(got));
    }
    send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    // Until the client has gone.
    while (stay_open && recv(fd, buffer, sizeof buffer, 0) > 0)
      ;
    close(fd);
  }

  int listening_;
  std::thread thread_;
};

result<answer> ask(std::uint16_t port, const std::string& target = "/list",
                   bounds within = {}) {
  return fetch({.host = "127.0.0.1", .port = port, .target = target}, within);
}

} // namespace

TEST_CASE("fetch: an answer with a length, in chunks, until the end") {
  for (const char* text :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na:1\nb",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\na:\r\n3\r\n1\nb\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\na:1\nb"}) {
    CAPTURE(text);
    std::string head;
    {
      one_answer server(text);
      const auto got = ask(server.port, "/nacos/serverlist?x=1");
      REQUIRE_MESSAGE(got, got.error().message);
      CHECK(got->status == 200);
      CHECK(got->body == "a:1\nb");
      CHECK(server.head.starts_with("GET /nacos/serverlist?x=1 HTTP/1.1\r\n"));
      CHECK(server.head.find("Host: 127.0.0.1:" + std::to_string(server.port))
            != std::string::npos);
    }
  }
}

TEST_CASE("fetch: other statuses are answers too") {
  one_answer server("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
  const auto got = ask(server.port);
  REQUIRE(got);
  CHECK(got->status == 404);
  CHECK(got->body == "none");
}

TEST_CASE("fetch: what is no answer is told with the address") {
  struct row {
    const char* text;
    errc code;
  };
  for (const auto& [text, code] :
       {row{"", errc::unavailable},
        row{"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
            errc::unavailable},
        row{"SSH-2.0-OpenSSH\r\n\r\n", errc::data_loss}}) {
    CAPTURE(text);
    one_answer server(text);
    const auto got = ask(server.port);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == code);
    CHECK(got.error().message.starts_with("127.0.0.1:"
                                          + std::to_string(server.port)));
  }
}

TEST_CASE("fetch: a body that is too long is not taken") {
  for (const bool told : {true, false}) {
    one_answer server((told ? "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"
                            : "HTTP/1.1 200 OK\r\n\r\n")
                      + std::string(2000, 'x'));
    const auto got = ask(server.port, "/", {.body_bytes_max = 1999});
    REQUIRE_FALSE(got);
    CHECK(got.error().code == errc::data_loss);
  }
}

TEST_CASE("fetch: nobody waits for a server that is mute") {
  for (const char* text :
       {"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"}) {
    one_answer server(text, true);
    const auto begun = std::chrono::steady_clock::now();
    const auto got = ask(server.port, "/", {.at_most = milliseconds{200}});
    REQUIRE_FALSE(got);
    CHECK(got.error().code == errc::deadline_exceeded);
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
  }
}

TEST_CASE("fetch: nobody listens") {
  std::uint16_t port = 0;
  {
    one_answer server("HTTP/1.1 200 OK\r\n\r\n");
    port = server.port;
    CHECK(ask(port));
  }
  const auto got = ask(port);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == errc::unavailable);
}
