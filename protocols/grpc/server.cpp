#include "protocols/grpc/server.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "protocols/grpc/dispatcher.hpp"
#include "protocols/grpc/queue_loop.hpp"

namespace muster::rpc {

namespace {

constexpr int metadata_bytes_max = 64 * 1024;
constexpr int read_chunk_bytes = 2 * 1024;
/// Pings that come too early before the connection is closed; 0 = any number.
constexpr int ping_strikes_max = 2;

void configure(::grpc::ServerBuilder& builder, const server_settings& s) {
  ::grpc::ResourceQuota quota("muster");
  quota.Resize(s.memory_bytes_max);
  builder.SetResourceQuota(quota);
  constexpr std::size_t int_max = std::numeric_limits<int>::max();
  builder.SetMaxReceiveMessageSize(
    static_cast<int>(std::min(s.message_bytes_max, int_max)));
  builder.SetMaxSendMessageSize(-1);
  // gRPC bounds a message before it inflates it. A compressed one is refused
  // (UNIMPLEMENTED, with what is accepted), so that there is nothing to inflate.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  const std::pair<const char*, int> arguments[] = {
      {GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(s.pings.every.count())},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
       static_cast<int>(s.pings.timeout.count())},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_HTTP2_MAX_PING_STRIKES,
       s.pings.client_min.count() > 0 ? ping_strikes_max : 0},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
       static_cast<int>(s.pings.client_min.count())},
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, s.connection_calls_max},
      {GRPC_ARG_MAX_METADATA_SIZE, metadata_bytes_max},
      // Two servers on one port would share its connections silently.
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
      // A ping per burst of data, and a timer per connection, for a window that
      // small messages never fill.
      {GRPC_ARG_HTTP2_BDP_PROBE, 0},
      // Room for a usual request; the buffer of an idle connection is kept.
      {GRPC_ARG_TCP_READ_CHUNK_SIZE, read_chunk_bytes},
  };
  for (const auto& [name, value] : arguments)
    builder.AddChannelArgument(name, value);
}

} // namespace

struct server::impl {
  impl(server_settings s, method_table methods)
    : settings(std::move(s)), calls(std::move(methods), settings) {
    // nop
  }

  const server_settings settings;
  dispatcher calls;
  call_count held{0};
  ::grpc::AsyncGenericService service;
  int port = 0;
  /// One thread each: no two of them meet at a lock, and the steps of a call
  /// come one after the other.
  std::vector<std::unique_ptr<queue_loop>> loops;
  std::unique_ptr<::grpc::Server> listener;
};

result<std::unique_ptr<server>> server::start(server_settings settings,
                                              method_table methods) {
  // Debian's Abseil looks for cycles at every lock that gRPC takes: a tenth of
  // the time of a call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  auto state = std::make_unique<impl>(std::move(settings), std::move(methods));
  const auto& s = state->settings;
  const auto v6 = s.address.find(':') != std::string::npos;
  const auto place = (v6 ? "[" + s.address + "]" : s.address) + ":"
                     + std::to_string(s.port);
  ::grpc::ServerBuilder builder;
  configure(builder, s);
  builder.AddListeningPort(place, ::grpc::InsecureServerCredentials(),
                           &state->port);
  builder.RegisterAsyncGenericService(&state->service);
  for (auto n = s.threads; n > 0; --n)
    state->loops.push_back(std::make_unique<queue_loop>(
      builder.AddCompletionQueue(), state->service, state->calls, state->held));
  state->listener = builder.BuildAndStart();
  if (!state->listener || state->port == 0)
    return fail(errc::unavailable, "cannot listen on " + place);
  for (auto& each : state->loops)
    each->open();
  return std::unique_ptr<server>(new server(std::move(state)));
}

server::server(std::unique_ptr<impl> state) : impl_(std::move(state)) {
  // nop
}

server::~server() {
  stop(std::chrono::milliseconds(0));
}

std::uint16_t server::port() const noexcept {
  return static_cast<std::uint16_t>(impl_->port);
}

std::vector<common::loop*> server::loops() const {
  std::vector<common::loop*> all;
  for (const auto& each : impl_->loops)
    all.push_back(each.get());
  return all;
}

void server::stop(std::chrono::milliseconds grace) {
  impl_->listener->Shutdown(std::chrono::system_clock::now() + grace);
  // No step may be begun on a queue that is shut down.
  for (auto held = impl_->held.load(); held > 0; held = impl_->held.load())
    impl_->held.wait(held);
  for (auto& each : impl_->loops)
    each->close();
}

} // namespace muster::rpc
