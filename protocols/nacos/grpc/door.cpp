#include "protocols/nacos/grpc/door.hpp"

#include <optional>
#include <utility>

#include "protocols/nacos/grpc/bi_stream.hpp"
#include "protocols/nacos/grpc/streams.hpp"
#include "protocols/nacos/grpc/unary.hpp"

namespace muster::nacos::remote {

namespace {

/// Escapes make a message longer than what it stands for; beyond this gRPC
/// refuses it unread.
constexpr std::size_t escape_room = 3;
constexpr std::size_t envelope_bytes = 64U << 10U;

rpc::server_settings shell_settings(const door_settings& s) {
  rpc::server_settings out;
  out.address = s.address;
  out.port = s.port;
  out.message_bytes_max = s.message_bytes_max * escape_room + envelope_bytes;
  out.memory_bytes_max = s.memory_bytes_max;
  out.calls_max = s.calls_max;
  out.streams = s.streams;
  out.pings = s.keepalive;
  return out;
}

} // namespace

struct door::impl {
  impl(api::node& n, const door_settings& s)
      : clients(std::make_shared<registry>()),
        limits(s.fuzzy_configs, s.fuzzy_services), streams{n, *clients, limits,
                                                           s.rules},
        metrics(std::make_shared<call_metrics>(
            [all = clients] { return all->size(); })),
        bytes(s.bytes_max), unary{
                                streams, *metrics,          s.message_bytes_max,
                                bytes,   s.request_timeout, s.auth} {
    // nop
  }

  rpc::method_table methods() {
    return {{"/Request/request",
             rpc::unary_handler([this](rpc::unary_call& call) {
               serve_unary(unary, call);
             })},
            {"/BiRequestStream/requestBiStream",
             rpc::stream_handler([this](std::shared_ptr<rpc::stream> stream) {
               return std::make_shared<bi_stream>(streams, std::move(stream));
             })}};
  }

  const std::shared_ptr<registry> clients; ///< shared with a scrape
  fuzzy_limits limits;
  const stream_parts streams;
  const std::shared_ptr<call_metrics> metrics;
  common::permits bytes;
  const unary_parts unary;
  std::unique_ptr<rpc::server> server; ///< stops before what is above goes
  std::optional<common::io_pool> pool; ///< on the server's loops
};

result<std::unique_ptr<door>>
door::open(api::node& node, caf::actor_system& system, door_settings settings) {
  auto state = std::make_unique<impl>(node, settings);
  auto server = rpc::server::start(shell_settings(settings), state->methods());
  if (!server)
    return std::unexpected(std::move(server.error()));
  state->server = std::move(*server);
  state->pool.emplace(common::io_pool::settings{.loops = state->server->loops()},
                      system, node.time());
  state->pool->start();
  return std::unique_ptr<door>(new door(std::move(state)));
}

door::door(std::unique_ptr<impl> state) : impl_(std::move(state)) {
  // nop
}

door::~door() {
  stop(milliseconds(0));
}

std::uint16_t door::port() const noexcept {
  return impl_->server->port();
}

std::size_t door::clients() const {
  return impl_->clients->size();
}

std::shared_ptr<prometheus::Collectable> door::metrics() const {
  return impl_->metrics;
}

std::shared_ptr<api::client_streams> door::streams() const {
  return std::make_shared<remote::streams>(
    impl_->clients, impl_->streams.node.time(), port());
}

void door::wait_empty(milliseconds at_most) const {
  impl_->clients->wait_empty(at_most);
}

void door::stop(milliseconds grace) {
  for (const auto& one : impl_->clients->all())
    one->close("the server is stopping");
  impl_->server->stop(grace);
  impl_->pool->stop();
}

} // namespace muster::nacos::remote
