#pragma once

#include <memory>

/// Many answers, one wake-up.
namespace muster::api {

/// A receiver of messages that runs on no scheduler and has to be woken.
class sleeper {
public:
  virtual ~sleeper() = default;
  virtual void wake() = 0;
};

/// While one is open, receivers that get messages from this thread are woken
/// once, at its end, and not by each message: waking takes longer than
/// delivering. For loops that only deliver; not to be held across waiting. One
/// at a time per thread.
class burst {
public:
  burst();
  ~burst();
  burst(const burst&) = delete;

  /// Called by a receiver whose first message has come: holds its waking back.
  /// False if no burst is open on this thread; then it is up to the caller.
  static bool hold(std::shared_ptr<sleeper> who);
};

} // namespace muster::api
