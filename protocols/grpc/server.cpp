#include "protocols/grpc/server.hpp"

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "protocols/grpc/stream_call.hpp"

namespace muster::rpc {

namespace {

using ::grpc::Status;
using ::grpc::StatusCode;

constexpr int keepalive_every_ms = 2 * 60 * 60 * 1000;
constexpr int keepalive_timeout_ms = 20 * 1000;
constexpr int metadata_bytes_max = 64 * 1024;
constexpr int read_chunk_bytes = 2 * 1024;
/// So many calls are taken over at a time; others wait in gRPC for a moment.
constexpr int arrivals_per_queue = 64;

/// One unary call. Deletes itself when gRPC is through with it.
class running_call final : public unary_call, private step {
public:
  running_call(std::unique_ptr<transport> over, const unary_handler& handle,
               std::atomic<std::size_t>& open)
    : over_(std::move(over)), handle_(handle), open_(open),
      peer_(over_->context.peer()) {
    over_->io.Read(&request_, tag());
  }

  std::string_view peer() const noexcept override { return peer_; }
  const ::grpc::ByteBuffer& request() const noexcept override {
    return request_;
  }
  std::string_view header(std::string_view name) const override {
    const auto& all = over_->context.client_metadata();
    const auto it = all.find(::grpc::string_ref(name.data(), name.size()));
    return it == all.end()
             ? std::string_view{}
             : std::string_view{it->second.data(), it->second.size()};
  }
  void finish(::grpc::ByteBuffer response) override {
    over_->io.WriteAndFinish(response, ::grpc::WriteOptions(), Status::OK, tag());
  }
  void fail(Status status) override { over_->io.Finish(status, tag()); }

private:
  void done(bool ok) override {
    if (answering_) {
      open_.fetch_sub(1, std::memory_order_relaxed);
      delete this;
      return;
    }
    answering_ = true;
    if (ok)
      handle_(*this);
    else
      fail({StatusCode::INTERNAL, "no request message"});
  }

  const std::unique_ptr<transport> over_;
  const unary_handler& handle_;
  std::atomic<std::size_t>& open_;
  const std::string peer_;
  ::grpc::ByteBuffer request_;
  bool answering_ = false; ///< the next step is the last
};

/// A call that is only told its status.
class refused_call final : private step {
public:
  refused_call(std::unique_ptr<transport> over, const Status& status)
    : over_(std::move(over)) {
    over_->io.Finish(status, tag());
  }

private:
  void done(bool) override { delete this; }

  const std::unique_ptr<transport> over_;
};

/// Finds the handler of each call that comes in.
class dispatcher {
public:
  dispatcher(method_table methods, const server_settings& settings)
    : methods_(std::move(methods)), settings_(settings) {
    // nop
  }

  void begin(std::unique_ptr<transport> call) {
    const auto it = methods_.find(call->context.method());
    if (it == methods_.end()) {
      new refused_call(std::move(call),
                       {StatusCode::UNIMPLEMENTED, "no such method"});
    } else if (const auto* make = std::get_if<stream_handler>(&it->second)) {
      std::make_shared<stream_call>(std::move(call), settings_.streams)
        ->open(*make);
    } else if (open_.fetch_add(1, std::memory_order_relaxed)
               >= settings_.calls_max) {
      open_.fetch_sub(1, std::memory_order_relaxed);
      new refused_call(
        std::move(call),
        {StatusCode::RESOURCE_EXHAUSTED, "too many calls at a time"});
    } else {
      new running_call(std::move(call), std::get<unary_handler>(it->second),
                       open_);
    }
  }

private:
  const method_table methods_;
  const server_settings& settings_;
  std::atomic<std::size_t> open_{0};
};

/// Waits for the next call of a queue, again and again until the server stops.
class arrival final : private step {
public:
  arrival(dispatcher& calls, ::grpc::AsyncGenericService& service,
          ::grpc::ServerCompletionQueue& queue, call_count& held)
    : calls_(calls), service_(service), queue_(queue), held_(held) {
    wait();
  }

private:
  void wait() {
    next_ = std::make_unique<transport>(queue_, held_);
    service_.RequestCall(&next_->context, &next_->io, &queue_, &queue_,
                         tag());
  }
  void done(bool ok) override {
    if (!ok) {
      delete this;
      return;
    }
    // First of all: while this call is held the queue is open.
    auto call = std::move(next_);
    wait();
    calls_.begin(std::move(call));
  }

  dispatcher& calls_;
  ::grpc::AsyncGenericService& service_;
  ::grpc::ServerCompletionQueue& queue_;
  call_count& held_;
  std::unique_ptr<transport> next_;
};

/// Until the queue is shut down and empty.
void serve(::grpc::ServerCompletionQueue& queue) {
  void* over = nullptr;
  auto ok = false;
  while (queue.Next(&over, &ok))
    static_cast<step*>(over)->done(ok);
}

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
  call_count held{0};
  ::grpc::AsyncGenericService service;
  int port = 0;
  /// One thread each: no two of them meet at a lock, and the steps of a call
  /// come one after the other.
  std::vector<std::unique_ptr<::grpc::ServerCompletionQueue>> queues;
  std::unique_ptr<::grpc::Server> listener;
  std::vector<std::jthread> threads;
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
    state->queues.push_back(builder.AddCompletionQueue());
  state->listener = builder.BuildAndStart();
  if (!state->listener || state->port == 0)
    return fail(errc::unavailable, "cannot listen on " + place);
  for (auto& queue : state->queues) {
    for (int i = 0; i < arrivals_per_queue; ++i)
      new arrival(state->calls, state->service, *queue, state->held);
    state->threads.emplace_back([&q = *queue] { serve(q); });
  }
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
  if (impl_->threads.empty())
    return;
  impl_->listener->Shutdown(std::chrono::system_clock::now() + grace);
  // No step may be begun on a queue that is shut down.
  for (auto n = impl_->held.load(); n > 0; n = impl_->held.load())
    impl_->held.wait(n);
  for (auto& queue : impl_->queues)
    queue->Shutdown();
  impl_->threads.clear();
}

} // namespace muster::rpc
