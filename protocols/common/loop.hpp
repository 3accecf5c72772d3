#pragma once

#include <boost/asio/io_context.hpp>

namespace muster::common {

/// An event loop that runs an io_context beside events of its own: how a library
/// that brings its own loop shares a thread, and a gateway, with coroutines.
class loop {
public:
  virtual ~loop() = default;

  /// Runs both on the calling thread until the loop's own events have ended,
  /// then `io` until it is out of work; before, it must not run out. What a
  /// handler throws comes out of here; it may be called again then.
  virtual void run(boost::asio::io_context& io) = 0;

  /// To be called after something was queued in the io_context. Any thread.
  virtual void wake() = 0;
};

} // namespace muster::common
