#include "protocols/grpc/server.hpp"

#include <atomic>
#include <utility>

#include <absl/synchronization/mutex.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "protocols/grpc/stream_reactor.hpp"

namespace muster::rpc {

namespace {

using ::grpc::Status;
using ::grpc::StatusCode;

constexpr int keepalive_every_ms = 2 * 60 * 60 * 1000;
constexpr int keepalive_timeout_ms = 20 * 1000;
constexpr int metadata_bytes_max = 64 * 1024;
constexpr int read_chunk_bytes = 2 * 1024;

/// One unary call. Deletes itself when gRPC is through with it.
class unary_reactor final : public ::grpc::ServerGenericBidiReactor,
                            public unary_call {
public:
  unary_reactor(const ::grpc::GenericCallbackServerContext& context,
                const unary_handler& handle, std::atomic<std::size_t>& open)
    : context_(context), handle_(handle), open_(open), peer_(context.peer()) {
    StartRead(&request_);
  }

  std::string_view peer() const noexcept override { return peer_; }
  const ::grpc::ByteBuffer& request() const noexcept override {
    return request_;
  }
  std::string_view header(std::string_view name) const override {
    const auto& all = context_.client_metadata();
    const auto it = all.find(::grpc::string_ref(name.data(), name.size()));
    return it == all.end()
             ? std::string_view{}
             : std::string_view{it->second.data(), it->second.size()};
  }
  void finish(::grpc::ByteBuffer response) override {
    response_.Swap(&response);
    StartWriteAndFinish(&response_, ::grpc::WriteOptions(), Status::OK);
  }
  void fail(Status status) override { Finish(std::move(status)); }

private:
  void OnReadDone(bool ok) override {
    if (ok)
      handle_(*this);
    else
      fail({StatusCode::INTERNAL, "no request message"});
  }
  void OnDone() override {
    open_.fetch_sub(1, std::memory_order_relaxed);
    delete this;
  }

  const ::grpc::GenericCallbackServerContext& context_;
  const unary_handler& handle_;
  std::atomic<std::size_t>& open_;
  const std::string peer_;
  ::grpc::ByteBuffer request_;
  ::grpc::ByteBuffer response_;
};

class refusing_reactor final : public ::grpc::ServerGenericBidiReactor {
public:
  explicit refusing_reactor(Status status) { Finish(std::move(status)); }
  void OnDone() override { delete this; }
};

/// Finds the handler of each call that comes in.
class dispatcher final : public ::grpc::CallbackGenericService {
public:
  dispatcher(method_table methods, const server_settings& settings)
    : methods_(std::move(methods)), settings_(settings) {
    // nop
  }

  ::grpc::ServerGenericBidiReactor*
  CreateReactor(::grpc::GenericCallbackServerContext* context) override {
    const auto it = methods_.find(context->method());
    if (it == methods_.end())
      return new refusing_reactor({StatusCode::UNIMPLEMENTED, "no such method"});
    if (const auto* make = std::get_if<stream_handler>(&it->second)) {
      auto made = std::make_shared<stream_reactor>(*context, settings_.streams);
      made->open(*make);
      return made.get();
    }
    if (open_.fetch_add(1, std::memory_order_relaxed) >= settings_.calls_max) {
      open_.fetch_sub(1, std::memory_order_relaxed);
      return new refusing_reactor(
        {StatusCode::RESOURCE_EXHAUSTED, "too many calls at a time"});
    }
    return new unary_reactor(*context, std::get<unary_handler>(it->second),
                             open_);
  }

private:
  const method_table methods_;
  const server_settings& settings_;
  std::atomic<std::size_t> open_{0};
};

void configure(::grpc::ServerBuilder& builder, const server_settings& s) {
  ::grpc::ResourceQuota quota("muster");
  quota.Resize(s.memory_bytes_max);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(static_cast<int>(s.message_bytes_max));
  builder.SetMaxSendMessageSize(-1);
  // gRPC bounds a message before it inflates it. A compressed one is refused
  // (UNIMPLEMENTED, with what is accepted), so that there is nothing to inflate.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  const std::pair<const char*, int> arguments[] = {
    {GRPC_ARG_KEEPALIVE_TIME_MS, keepalive_every_ms},
    {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, keepalive_timeout_ms},
    {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
    {GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0},
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
  int port = 0;
  std::unique_ptr<::grpc::Server> listener; ///< last: stops before the others
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
  builder.RegisterCallbackGenericService(&state->calls);
  state->listener = builder.BuildAndStart();
  if (!state->listener || state->port == 0)
    return fail(errc::unavailable, "cannot listen on " + place);
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

void server::stop(std::chrono::milliseconds grace) {
  impl_->listener->Shutdown(std::chrono::system_clock::now() + grace);
}

} // namespace muster::rpc
