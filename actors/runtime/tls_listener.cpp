#include "actors/runtime/tls_listener.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <spdlog/spdlog.h>

namespace muster::runtime {

namespace {

using namespace std::chrono_literals;

/// Handshakes at once. One more, and the one that has taken longest is ended:
/// connections on which nothing is said keep nobody out.
constexpr std::size_t guests_max = 64;
/// Connections that are let in and not taken.
constexpr std::size_t arrivals_max = 64;
/// Until it is tried again, when there is no room or no descriptor.
constexpr auto pause = 100ms;
/// Whoever knocks again and again does not fill the log.
constexpr auto between_reports = 1s;

/// Of what is polled, the first two; then come the guests.
enum : std::size_t { waker, listener, first_guest };

std::string name_of(int fd) {
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  std::array<char, NI_MAXHOST> host{};
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0
      || getnameinfo(reinterpret_cast<const sockaddr*>(&at), size, host.data(),
                     host.size(), nullptr, 0, NI_NUMERICHOST)
             != 0)
    return "somebody who has left";
  return host.data();
}

} // namespace

tls_listener::tls_listener(tls_credentials_ptr own, owned_socket listening,
                           owned_socket bell, milliseconds at_most)
    : own_(std::move(own)), listening_(std::move(listening)),
      bell_(std::move(bell)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      at_most_(at_most),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

tls_listener::~tls_listener() {
  stop();
}

void tls_listener::stop() {
  if (!thread_.joinable())
    return;
  thread_.request_stop();
  eventfd_write(wake_.get(), 1);
  thread_.join();
  guests_.clear();
  arrivals_.clear();
  listening_ = owned_socket{};
  bell_ = owned_socket{};
}

std::optional<tls_listener::arrival> tls_listener::take() {
  const std::lock_guard lock(mutex_);
  if (arrivals_.empty())
    return std::nullopt;
  auto first = std::move(arrivals_.front());
  arrivals_.pop_front();
  return first;
}

void tls_listener::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto now = std::chrono::steady_clock::now();
    std::vector<pollfd> all{
        {wake_.get(), POLLIN, 0},
        {may_accept(now) ? listening_.get() : -1, POLLIN, 0}};
    for (const auto& each : guests_)
      all.push_back({each.who.socket.get(), each.events, 0});
    poll(all.data(), all.size(), patience(now));
    now = std::chrono::steady_clock::now();
    auto seen = all.begin() + first_guest;
    for (auto& each : guests_) {
      if ((seen++)->revents != 0)
        go_on(each, now);
      if (!each.gone && now >= each.until)
        refuse(each, "no handshake in time", now);
    }
    std::erase_if(guests_, [](const guest& each) { return each.gone; });
    if (all[listener].revents != 0)
      accept_one(now);
  }
}

/// Milliseconds until something is due though nothing comes; -1 = nothing is.
int tls_listener::patience(moment now) const {
  auto due = moment::max();
  if (!guests_.empty())
    due = guests_.front().until;
  if (accept_again_ > now)
    due = std::min(due, accept_again_);
  if (due == moment::max())
    return -1;
  const auto wait = std::chrono::ceil<milliseconds>(due - now).count();
  return static_cast<int>(std::max<std::int64_t>(wait, 0));
}

bool tls_listener::may_accept(moment now) {
  if (now < accept_again_)
    return false;
  const std::lock_guard lock(mutex_);
  if (arrivals_.size() >= arrivals_max)
    accept_again_ = now + pause;
  return arrivals_.size() < arrivals_max;
}

void tls_listener::accept_one(moment now) {
  owned_socket came{::accept4(listening_.get(), nullptr, nullptr,
                              SOCK_NONBLOCK | SOCK_CLOEXEC)};
  if (!came) {
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
      accept_again_ = now + pause;
    return;
  }
  auto session = tls_session::from(*own_, came.get());
  if (!session)
    return;
  if (guests_.size() >= guests_max) {
    refuse(guests_.front(), "too many others come", now);
    guests_.pop_front();
  }
  guests_.push_back(
      {{std::move(came), std::move(session)}, now + at_most_, POLLIN});
}

void tls_listener::go_on(guest& with, moment now) {
  switch (with.who.session->shake()) {
  case tls_step::done:
    let_in(with);
    return;
  case tls_step::wants_read:
    with.events = POLLIN;
    return;
  case tls_step::wants_write:
    with.events = POLLOUT;
    return;
  case tls_step::failed:
    refuse(with, with.who.session->trouble(), now);
    return;
  }
}

void tls_listener::let_in(guest& whom) {
  whom.gone = true;
  {
    const std::lock_guard lock(mutex_);
    arrivals_.push_back(std::move(whom.who));
  }
  const char one = 1;
  // Never full: no more bytes are in it than there may be arrivals.
  if (::send(bell_.get(), &one, sizeof one, MSG_NOSIGNAL) <= 0)
    spdlog::error("a connection to the cluster port cannot be passed on");
}

void tls_listener::refuse(guest& whom, const std::string& why, moment now) {
  whom.gone = true;
  if (now - told_ < between_reports) {
    ++untold_;
    return;
  }
  told_ = now;
  const auto others = std::exchange(untold_, 0U);
  spdlog::warn("a connection of {} to the cluster port was refused: {}{}",
               name_of(whom.who.socket.get()), why,
               others == 0
                   ? ""
                   : " (and " + std::to_string(others) + " others before it)");
}

} // namespace muster::runtime
