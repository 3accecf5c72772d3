#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>

#include "protocols/common/loop.hpp"
#include "protocols/grpc/transport.hpp"

namespace muster::rpc {

class dispatcher;

/// Runs one completion queue, the calls that arrive on it, and an io_context.
///
/// gRPC cannot wait for anything but its queue, so the thread sleeps there, and
/// `wake` puts an alarm that is due into the queue if it does. Timers of the io_context are
/// looked at ten times a second, or whenever something else happens there.
class queue_loop final : public common::loop, public senders, private step {
public:
  queue_loop(std::unique_ptr<::grpc::ServerCompletionQueue> queue,
             ::grpc::AsyncGenericService& service, dispatcher& calls,
             call_count& held);

  /// Begins to take calls, which wait until it is run. Once, after gRPC's server
  /// was started.
  void open();
  void run(boost::asio::io_context& io) override;
  void wake() override;

  /// Ends the loop's own events. No call may be held any more.
  void close();

private:
  /// Waits for the next call, again and again until the server stops.
  class arrival;

  using arrived = ::grpc::CompletionQueue::NextStatus;

  /// Takes the next event, if one comes until then, and lets its step go on.
  template <class Time>
  arrived take(const Time& until);
  void done(bool ok) override;
  void add(std::shared_ptr<stream_call> waiting) override;
  void send_all();

  const std::unique_ptr<::grpc::ServerCompletionQueue> queue_;
  ::grpc::AsyncGenericService& service_;
  dispatcher& calls_;
  call_count& held_;
  std::atomic<bool> due_{false};    ///< the io_context has to be looked at
  std::atomic<bool> asleep_{false}; ///< waits in the queue
  std::atomic<bool> woken_{false};  ///< the alarm is on its way
  std::mutex mutex_;               ///< for all below
  std::vector<std::shared_ptr<stream_call>> sending_;
  ::grpc::Alarm alarm_;
  bool closed_ = false;
};

} // namespace muster::rpc
