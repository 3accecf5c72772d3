#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocols/grpc/server.hpp"
#include "tests/support/grpc_client.hpp"

using namespace muster;
using test::grpc_client;
using test::to_buffer;
using test::to_string;

namespace {

constexpr auto echo = "/Test/echo";
constexpr auto talk = "/Test/talk";
constexpr std::chrono::seconds patience(10);

/// The server's side of a stream, as the test sees it.
struct recorder : rpc::stream_events {
  explicit recorder(std::shared_ptr<rpc::stream> s) : out(std::move(s)) {}
  void on_message(const ::grpc::ByteBuffer& message) override {
    out->write(to_buffer("re: " + to_string(message)));
  }
  void on_end() override {
    const std::lock_guard lock(mutex);
    ended = true;
    changed.notify_all();
  }
  bool wait_end() {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, patience, [this] { return ended; });
  }

  std::shared_ptr<rpc::stream> out;
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
};

struct fixture {
  explicit fixture(rpc::server_settings settings = {}) {
    settings.address = "127.0.0.1";
    rpc::method_table methods;
    methods[echo] = rpc::unary_handler([](rpc::unary_call& call) {
      call.finish(to_buffer(std::string(call.peer()) + "|"
                            + to_string(call.request())));
    });
    methods[talk]
      = rpc::stream_handler([this](std::shared_ptr<rpc::stream> stream) {
          auto made = std::make_shared<recorder>(std::move(stream));
          const std::lock_guard lock(mutex);
          last = made;
          changed.notify_all();
          return made;
        });
    auto started = rpc::server::start(settings, std::move(methods));
    REQUIRE(started);
    server = std::move(*started);
    for (auto* each : server->loops())
      threads.emplace_back([each] {
        boost::asio::io_context io;
        each->run(io);
      });
  }
  ~fixture() { server->stop(std::chrono::milliseconds(0)); }
  std::shared_ptr<recorder> wait_stream() {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, patience, [this] { return last != nullptr; }));
    return last;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<recorder> last;
  std::unique_ptr<rpc::server> server;
  std::vector<std::jthread> threads;
};

} // namespace

TEST_CASE("a unary call is answered, all calls of a connection share a peer") {
  fixture f;
  grpc_client client(f.server->port());
  const auto first = client.call(echo, "hello");
  REQUIRE(first.status.ok());
  CHECK(first.bytes.starts_with("ipv4:127.0.0.1:"));
  CHECK(first.bytes.ends_with("|hello"));
  CHECK(client.call(echo, "hello").bytes == first.bytes);
  grpc_client other(f.server->port());
  CHECK(other.call(echo, "hello").bytes != first.bytes);
}

TEST_CASE("unknown methods and too long messages are refused, not fatal") {
  rpc::server_settings settings;
  settings.message_bytes_max = 1000;
  fixture f(settings);
  grpc_client client(f.server->port());
  CHECK(client.call("/Test/other", "x").status.error_code()
        == grpc::StatusCode::UNIMPLEMENTED);
  CHECK(client.call(echo, std::string(2000, 'x')).status.error_code()
        == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(client.call(echo, "x").status.ok());
}

TEST_CASE("the bound of calls at a time is kept") {
  rpc::server_settings settings;
  settings.calls_max = 0;
  fixture f(settings);
  grpc_client client(f.server->port());
  CHECK(client.call(echo, "x").status.error_code()
        == grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_CASE("a stream echoes, and a half-close ends it in order") {
  fixture f;
  grpc_client client(f.server->port());
  const auto stream = client.open(talk);
  for (const auto* text : {"one", "two", "three"})
    stream->send(text);
  CHECK(stream->receive() == "re: one");
  CHECK(stream->receive() == "re: two");
  CHECK(stream->receive() == "re: three");
  stream->half_close();
  const auto status = stream->wait_end();
  REQUIRE(status);
  CHECK(status->ok());
  CHECK(f.wait_stream()->wait_end());
}

TEST_CASE("a cancelled stream and a closed connection end at the server, too") {
  fixture f;
  SUBCASE("cancelled") {
    grpc_client client(f.server->port());
    const auto stream = client.open(talk);
    const auto seen = f.wait_stream();
    stream->cancel();
    CHECK(seen->wait_end());
    CHECK_FALSE(seen->out->write(to_buffer("late")));
  }
  SUBCASE("connection gone") {
    std::shared_ptr<recorder> seen;
    {
      grpc_client client(f.server->port());
      const auto stream = client.open(talk);
      seen = f.wait_stream();
    }
    CHECK(seen->wait_end());
  }
}

TEST_CASE("the server's close reaches the client with its status") {
  fixture f;
  grpc_client client(f.server->port());
  const auto stream = client.open(talk);
  f.wait_stream()->out->close({grpc::StatusCode::UNAVAILABLE, "enough"});
  const auto status = stream->wait_end();
  REQUIRE(status);
  CHECK(status->error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(status->error_message() == "enough");
  CHECK(f.wait_stream()->wait_end());
}

TEST_CASE("a client that pings more often than permitted is sent away") {
  grpc::ChannelArguments eager;
  eager.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20);
  eager.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  {
    fixture lenient;
    grpc_client client(lenient.server->port(), eager);
    const auto stream = client.open(talk);
    stream->send("x");
    CHECK(stream->receive() == "re: x");
    CHECK_FALSE(stream->wait_end(std::chrono::milliseconds(500)));
  }
  rpc::server_settings settings;
  settings.pings.client_min = std::chrono::minutes(1);
  fixture strict(settings);
  grpc_client client(strict.server->port(), eager);
  const auto stream = client.open(talk);
  stream->send("x");
  const auto ended = stream->wait_end(patience);
  REQUIRE(ended);
  CHECK(ended->error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(strict.wait_stream()->wait_end());
}

TEST_CASE("the queue to a client that does not read is bounded") {
  rpc::server_settings settings;
  settings.streams.queued_messages_max = 8;
  fixture f(settings);
  grpc_client client(f.server->port());
  const auto stream = client.open(talk, false);
  const auto out = f.wait_stream()->out;
  // More than the transport's window takes: one may be on its way, eight wait.
  const std::string big(1U << 20U, 'x');
  auto queued = 0;
  while (queued < 1000 && out->write(to_buffer(big)))
    ++queued;
  CHECK(queued >= 8);
  CHECK(queued < 100);
  // Others do not notice.
  CHECK(client.call(echo, "x").status.ok());
}

TEST_CASE("a client that does not read is cut off after its time") {
  rpc::server_settings settings;
  settings.streams.stalled_after = std::chrono::milliseconds(50);
  fixture f(settings);
  grpc_client client(f.server->port());
  const auto stream = client.open(talk, false);
  const auto seen = f.wait_stream();
  const std::string big(1U << 20U, 'x');
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (seen->out->write(to_buffer(big))
         && std::chrono::steady_clock::now() < deadline) {
  }
  // The queue's bound may have come first; the time comes soon after.
  auto ended = false;
  while (!ended && std::chrono::steady_clock::now() < deadline) {
    seen->out->write(to_buffer("x"));
    const std::lock_guard lock(seen->mutex);
    ended = seen->ended;
  }
  CHECK(ended);
}

TEST_CASE("closing from many threads at once ends the stream once") {
  fixture f;
  grpc_client client(f.server->port());
  for (int round = 0; round < 20; ++round) {
    {
      const std::lock_guard lock(f.mutex);
      f.last = nullptr;
    }
    const auto stream = client.open(talk);
    const auto seen = f.wait_stream();
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&, i] {
        for (int n = 0; n < 50; ++n)
          seen->out->write(to_buffer("x"));
        seen->out->close({grpc::StatusCode::UNAVAILABLE, std::to_string(i)});
      });
    threads.clear();
    CHECK(seen->wait_end());
    const auto status = stream->wait_end();
    REQUIRE(status);
    CHECK_FALSE(status->ok());
  }
}

TEST_CASE("stopping cancels what runs longer than the grace") {
  fixture f;
  grpc_client client(f.server->port());
  const auto stream = client.open(talk);
  const auto seen = f.wait_stream();
  f.server->stop(std::chrono::milliseconds(10));
  CHECK(seen->wait_end());
  CHECK(stream->wait_end());
}

TEST_CASE("a loop runs what is posted to its io_context, from anywhere") {
  rpc::server_settings settings;
  settings.address = "127.0.0.1";
  settings.threads = 1;
  auto started = rpc::server::start(settings, {});
  REQUIRE(started);
  auto& loop = *(*started)->loops().front();
  boost::asio::io_context io;
  auto work = boost::asio::make_work_guard(io);
  std::jthread thread([&] { loop.run(io); });
  std::atomic<int> ran{0};
  std::mutex mutex;
  std::condition_variable changed;
  const auto wait_for = [&](int count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, patience, [&] { return ran == count; });
  };
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    ++ran;
    changed.notify_all();
  };
  SUBCASE("one after the other") {
    int done = 0;
    do {
      boost::asio::post(io, count);
      loop.wake();
    } while (wait_for(++done) && done < 50);
    // Not before the loop ends: the thread would be waited for.
    CHECK(ran == 50);
  }
  SUBCASE("from many threads at once") {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) {
          boost::asio::post(io, count);
          loop.wake();
        }
      });
    CHECK(wait_for(4000));
  }
  SUBCASE("from its own thread, and by a timer") {
    boost::asio::steady_timer timer(io);
    boost::asio::post(io, [&] {
      boost::asio::post(io, count);
      loop.wake();
      timer.expires_after(std::chrono::milliseconds(1));
      timer.async_wait([&](auto) { count(); });
    });
    loop.wake();
    CHECK(wait_for(2));
  }
  (*started)->stop(std::chrono::milliseconds(0));
  // What comes later is run, too: by asio alone.
  const auto before = ran.load();
  boost::asio::post(io, count);
  loop.wake();
  CHECK(wait_for(before + 1));
  work.reset();
}
