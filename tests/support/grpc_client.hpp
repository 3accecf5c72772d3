#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

/// A gRPC client of bytes, for tests of servers of bytes.
namespace muster::test {

inline grpc::ByteBuffer to_buffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

inline std::string to_string(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  if (!buffer.Valid() || !buffer.DumpToSingleSlice(&slice).ok())
    return {};
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

/// One bidirectional stream. Reads as messages come, unless told not to.
class bidi_client final
  : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
public:
  using milliseconds = std::chrono::milliseconds;

  bidi_client(grpc::GenericStub& stub, const std::string& method, bool reading)
    : reading_(reading) {
    stub.PrepareBidiStreamingCall(&context_, method, {}, this);
    if (reading_)
      StartRead(&incoming_);
    // Kept open for writes from outside of reactions.
    AddHold();
    StartCall();
  }
  ~bidi_client() override {
    context_.TryCancel();
    release();
    wait_end(milliseconds(10'000));
  }

  void send(const std::string& bytes) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !writing_; });
      writing_ = true;
      outgoing_ = to_buffer(bytes);
    }
    StartWrite(&outgoing_);
  }
  void half_close() {
    StartWritesDone();
    release();
  }
  void cancel() {
    context_.TryCancel();
    release();
  }

  std::optional<std::string> receive(milliseconds within = milliseconds(5000)) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, within,
                      [this] { return !inbox_.empty() || ended_; });
    if (inbox_.empty())
      return std::nullopt;
    auto out = std::move(inbox_.front());
    inbox_.pop_front();
    return out;
  }
  /// The final status, or nothing if the stream goes on.
  std::optional<grpc::Status> wait_end(milliseconds within
                                       = milliseconds(5000)) {
    release();
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, within, [this] { return ended_; }))
      return std::nullopt;
    return status_;
  }

private:
  void release() {
    if (!std::exchange(released_, true))
      RemoveHold();
  }
  void OnReadDone(bool ok) override {
    if (!ok)
      return;
    {
      const std::lock_guard lock(mutex_);
      inbox_.push_back(to_string(incoming_));
    }
    changed_.notify_all();
    StartRead(&incoming_);
  }
  void OnWriteDone(bool) override {
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
    }
    changed_.notify_all();
  }
  void OnDone(const grpc::Status& status) override {
    const std::lock_guard lock(mutex_);
    status_ = status;
    ended_ = true;
    changed_.notify_all();
  }

  grpc::ClientContext context_;
  const bool reading_;
  bool released_ = false;
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> inbox_;
  grpc::Status status_;
  bool writing_ = false;
  bool ended_ = false;
};

/// One TCP connection.
class grpc_client {
public:
  struct answer {
    grpc::Status status;
    std::string bytes;
  };

  explicit grpc_client(std::uint16_t port, grpc::ChannelArguments more = {})
      : stub_(channel_to(port, std::move(more))) {}

  answer call(const std::string& method, const std::string& bytes) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now()
                         + std::chrono::seconds(30));
    grpc::CompletionQueue queue;
    const auto request = to_buffer(bytes);
    const auto reader
      = stub_.PrepareUnaryCall(&context, method, request, &queue);
    reader->StartCall();
    grpc::ByteBuffer response;
    answer out;
    reader->Finish(&response, &out.status, this);
    void* tag = nullptr;
    auto ok = false;
    queue.Next(&tag, &ok);
    out.bytes = to_string(response);
    return out;
  }

  std::unique_ptr<bidi_client> open(const std::string& method,
                                    bool reading = true) {
    return std::make_unique<bidi_client>(stub_, method, reading);
  }

private:
  static std::shared_ptr<grpc::Channel>
  channel_to(std::uint16_t port, grpc::ChannelArguments arguments) {
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxSendMessageSize(-1);
    arguments.SetMaxReceiveMessageSize(-1);
    return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                     grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  grpc::GenericStub stub_;
};

} // namespace muster::test
