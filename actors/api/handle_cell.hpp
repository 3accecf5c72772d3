#pragma once

#include <mutex>
#include <utility>

namespace muster::api {

/// The current actor of a place whose actor may be replaced by a supervisor.
/// Any thread; null while nobody serves the place.
template <class Handle>
class handle_cell {
public:
  Handle load() const {
    const std::lock_guard lock(mutex_);
    return handle_;
  }

  void store(Handle handle) {
    // The old handle is released after the lock.
    const std::lock_guard lock(mutex_);
    std::swap(handle_, handle);
  }

private:
  mutable std::mutex mutex_;
  Handle handle_;
};

} // namespace muster::api
