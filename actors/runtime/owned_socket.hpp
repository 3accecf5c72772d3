#pragma once

#include <utility>

#include <unistd.h>

namespace muster::runtime {

/// A file descriptor that is closed with this object unless it is handed on.
class owned_socket {
public:
  explicit owned_socket(int fd = -1) : fd_(fd) {}
  owned_socket(owned_socket&& from) noexcept : fd_(from.release()) {}
  owned_socket& operator=(owned_socket&& from) noexcept {
    std::swap(fd_, from.fd_);
    return *this;
  }
  ~owned_socket() {
    if (fd_ >= 0)
      ::close(fd_);
  }

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

private:
  int fd_;
};

} // namespace muster::runtime
