#include "protocols/grpc/dispatcher.hpp"

#include <string>
#include <utility>

#include "protocols/grpc/stream_call.hpp"

namespace muster::rpc {

namespace {

using ::grpc::Status;
using ::grpc::StatusCode;

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

} // namespace

dispatcher::dispatcher(method_table methods, const server_settings& settings)
  : methods_(std::move(methods)), settings_(settings) {
  // nop
}

void dispatcher::begin(std::unique_ptr<transport> call) {
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

} // namespace muster::rpc
