#pragma once

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <map>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace muster::test {

/// Carries TCP connections of loopback on to another port, until it is cut.
class relay {
public:
  explicit relay(std::uint16_t to) : to_(to) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    auto at = loopback(0);
    socklen_t size = sizeof at;
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size)
            == 0);
    REQUIRE(listen(listener_, 16) == 0);
    REQUIRE(pipe(wake_.data()) == 0);
    port_ = ntohs(at.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  ~relay() {
    thread_.request_stop();
    wake();
    thread_.join();
    for (const auto fd : {listener_, wake_[0], wake_[1]})
      close(fd);
  }
  relay(const relay&) = delete;

  std::uint16_t port() const { return port_; }

  /// Ends the connections; new ones are ended at once until `mend`.
  void cut() {
    cut_ = true;
    wake();
  }
  void mend() { cut_ = false; }

private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(port);
    return at;
  }

  void wake() const {
    const char byte = 0;
    REQUIRE(write(wake_[1], &byte, 1) == 1);
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::vector<pollfd> all{{listener_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
      for (const auto& [fd, _] : other_)
        all.push_back({fd, POLLIN, 0});
      poll(all.data(), all.size(), -1);
      if (all[1].revents != 0
          && read(wake_[0], buffer_.data(), buffer_.size()) < 0)
        return;
      while (cut_ && !other_.empty())
        end(other_.begin()->first);
      if (all[0].revents != 0)
        accept_one();
      for (std::size_t i = 2; i < all.size(); ++i)
        if (all[i].revents != 0 && other_.contains(all[i].fd))
          carry(all[i].fd);
    }
    while (!other_.empty())
      end(other_.begin()->first);
  }

  void accept_one() {
    const auto from = accept(listener_, nullptr, nullptr);
    if (from < 0)
      return;
    const auto on = socket(AF_INET, SOCK_STREAM, 0);
    const auto at = loopback(to_);
    if (cut_
        || connect(on, reinterpret_cast<const sockaddr*>(&at), sizeof at)
               != 0) {
      close(from);
      close(on);
      return;
    }
    other_[from] = on;
    other_[on] = from;
  }

  void carry(int from) {
    // Its number may have been that of another when it was looked at.
    const auto got = recv(from, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
      return;
    auto left = got;
    while (left > 0) {
      const auto sent = send(other_[from], buffer_.data() + (got - left),
                             static_cast<std::size_t>(left), MSG_NOSIGNAL);
      if (sent <= 0)
        break;
      left -= sent;
    }
    if (got <= 0 || left > 0)
      end(from);
  }

  void end(int fd) {
    const auto other = other_[fd];
    other_.erase(fd);
    other_.erase(other);
    close(fd);
    close(other);
  }

  const std::uint16_t to_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::array<int, 2> wake_{};
  std::atomic<bool> cut_{false};
  std::array<char, 65536> buffer_{};
  /// Both ends of each connection.
  std::map<int, int> other_;
  std::jthread thread_;
};

} // namespace muster::test
