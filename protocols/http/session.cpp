#include "protocols/http/session.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "protocols/common/wire.hpp"

namespace muster::http {

using common::refusal;
using common::refusal_kind;
using std::chrono::steady_clock;

namespace {

/// A line of a chunk's head, or a trailer, is not longer than this.
constexpr std::size_t chunk_line_max = 16 << 10;

constexpr std::size_t linger_bytes_max = 1 << 20;
constexpr milliseconds linger_time{2000};

std::string_view connection_line(bool keep, bool http_1_0) noexcept {
  if (!keep)
    return "Connection: close\r\n";
  return http_1_0 ? "Connection: keep-alive\r\n" : "";
}

/// Waits in a coroutine. Bound to the socket's own executor, asio resumes it
/// directly; the coroutine's type-erased one would cost an allocation and a
/// detour each time.
auto resume_on(tcp_socket& socket, boost::system::error_code& ec) {
  return asio::bind_executor(socket.get_executor(),
                             asio::redirect_error(asio::use_awaitable, ec));
}

/// This thread's permit for one request, given back however it ends.
class permit {
public:
  permit(worker& home, bool held) : home_(home), held_(held) {}
  permit(const permit&) = delete;
  ~permit() {
    if (taken_)
      home_.leave_request(held_);
  }
  bool take() { return taken_ = home_.enter_request(held_); }

private:
  worker& home_;
  const bool held_;
  bool taken_ = false;
};

/// Bytes that would change what a path means once it is decoded.
bool hides_structure(std::string_view raw, std::string_view decoded) {
  return decoded.find('\0') != decoded.npos
         || decoded.find('\\') != decoded.npos
         || std::ranges::count(raw, '/') != std::ranges::count(decoded, '/');
}

} // namespace

session::session(std::shared_ptr<worker> home, tcp_socket socket,
                 std::string peer_ip)
    : worker_(std::move(home)), socket_(std::move(socket)),
      peer_ip_(std::move(peer_ip)) {
  worker_->add(*this);
}

session::~session() {
  worker_->remove(*this);
  auto& core = worker_->core();
  if (body_permits_ != 0)
    core.body_bytes.give(body_permits_);
  core.addresses.give(peer_ip_);
  core.connections.give();
  core.left();
}

asio::awaitable<void> session::run() {
  // No switch around co_await: GCC 12 then loses `this`.
  for (;;) {
    const auto what = advance();
    if (what == next::refused)
      break;
    if (what == next::ready) {
      if (!co_await answer())
        co_return;
    } else if (!co_await fill()) {
      if (!timed_out_ || (phase_ != phase::head && phase_ != phase::body))
        co_return;
      refuse(refusal_kind::timed_out, "the request came too slowly");
      break;
    }
  }
  co_await reject();
}

// -- reading
// -------------------------------------------------------------------

session::next session::advance() {
  if (!scratch_)
    return next::more;
  auto& s = *scratch_;
  if (in_body_)
    return on_body();
  // Empty lines before a request are skipped (RFC 9112, 2.2).
  while (!s.parser && s.in.size() >= 2 && s.in.data()[0] == '\r'
         && s.in.data()[1] == '\n')
    s.in.consume(2);
  if (s.in.empty())
    return next::more;
  const auto& limits = worker_->core().settings.limits;
  if (!s.parser)
    s.parser.emplace(s.head, s.body, limits.head_bytes_max, limits.headers_max);
  switch (s.parser->read_head(s.in.data(), s.in.size())) {
  case head_parser::step::more:
    return next::more;
  case head_parser::step::refused:
    return refuse(s.parser->why(), std::string(s.parser->detail()));
  case head_parser::step::done:
    break;
  }
  return on_head();
}

session::next session::on_head() {
  auto& s = *scratch_;
  auto& core = worker_->core();
  body_size_ = 0;
  if (!place_views())
    return refuse(refusal_kind::malformed, "request target is malformed");
  auto found = core.site.find(s.request);
  route_ = found.route;
  owner_ = found.owner;
  if (route_ == nullptr)
    refusal_ =
        found.allow.empty()
            ? refusal{refusal_kind::not_found, "no such path", nullptr, {}}
            : refusal{refusal_kind::wrong_method,
                      "method is not supported here", nullptr,
                      std::move(found.allow)};
  const auto& limits = core.settings.limits;
  std::size_t body_max = limits.body_bytes_default;
  if (route_ != nullptr && route_->row->body_bytes_max != 0)
    body_max = route_->row->body_bytes_max;
  body_max = std::min(body_max, limits.body_bytes_max);
  if (s.parser->chunked()) {
    s.parser->body_max(body_max);
  } else {
    if (s.parser->length() > body_max)
      return refuse(refusal_kind::body_too_large, "body is too large");
    body_size_ = static_cast<std::size_t>(s.parser->length());
  }
  if (!hold_permits(body_size_))
    return refuse(refusal_kind::busy, "too many request bodies at once");
  wants_continue_ = s.head.expects_continue && !s.parser->is_http_1_0();
  in_body_ = true;
  return on_body();
}

session::next session::on_body() {
  auto& s = *scratch_;
  const auto head = s.parser->head_size();
  if (s.parser->chunked()) {
    std::size_t consumed = 0;
    const auto step =
        s.parser->read_chunks(s.in.data() + head, s.in.size() - head, consumed);
    s.in.cut(head, consumed);
    if (step == head_parser::step::refused)
      return refuse(s.parser->why(), std::string(s.parser->detail()));
    if (!hold_permits(s.body.size()))
      return refuse(refusal_kind::busy, "too many request bodies at once");
    if (step == head_parser::step::more) {
      if (s.in.size() - head > chunk_line_max)
        return refuse(refusal_kind::malformed, "chunk head is too long");
      views_stale_ = true;
      return next::more;
    }
  } else if (s.in.size() < head + body_size_) {
    views_stale_ = true;
    return next::more;
  }
  in_body_ = false;
  wants_continue_ = false;
  if (std::exchange(views_stale_, false))
    renew_views();
  else
    place_body();
  auto& r = s.request;
  if (common::params::count(r.query)
          + (r.has_form() ? common::params::count(r.body) : 0)
      > common::params::count_max)
    return refuse(refusal_kind::malformed, "too many parameters");
  return next::ready;
}

/// Makes the request's views from the head's offsets. False: bad target.
bool session::place_views() {
  auto& s = *scratch_;
  auto& r = s.request;
  const char* begin = s.in.data();
  r.verb = s.head.verb;
  r.target = s.head.target.in(begin);
  r.peer_ip = peer_ip_;
  r.meta.trace = s.head.trace;
  r.headers.clear();
  r.path_values.clear();
  for (const auto& [name, value] : s.head.fields)
    r.headers.emplace_back(name.in(begin), value.in(begin));
  return set_path(r.target);
}

void session::place_body() {
  auto& s = *scratch_;
  s.request.body =
      s.parser->chunked()
          ? std::string_view{s.body}
          : std::string_view{s.in.data() + s.parser->head_size(), body_size_};
}

/// Makes all views anew, what the router noted included, after the buffer
/// moved.
void session::renew_views() {
  place_views();
  worker_->core().site.find(scratch_->request);
  place_body();
}

bool session::set_path(std::string_view target) {
  auto& r = scratch_->request;
  if (!target.starts_with('/') && target != "*") {
    // absolute-form (RFC 9112, 3.2.2); its authority is of no interest
    const auto scheme = target.find("://");
    if (scheme == target.npos || target.find_first_of("/?") < scheme)
      return false;
    const auto slash = target.find('/', scheme + 3);
    target =
        slash == target.npos ? std::string_view{"/"} : target.substr(slash);
  }
  const auto mark = target.find('?');
  r.query = mark == target.npos ? std::string_view{} : target.substr(mark + 1);
  r.path = target.substr(0, mark);
  if (r.path.find('%') == r.path.npos)
    return true;
  auto decoded = common::path_decode(r.path);
  if (hides_structure(r.path, decoded))
    return false;
  scratch_->path = std::move(decoded);
  r.path = scratch_->path;
  return true;
}

/// Accounts for a body of that size, in all. False: the server has too many.
bool session::hold_permits(std::size_t body_bytes) {
  if (body_bytes <= body_permits_)
    return true;
  if (!worker_->core().body_bytes.take(body_bytes - body_permits_))
    return false;
  body_permits_ = body_bytes;
  return true;
}

session::next session::refuse(refusal_kind kind, std::string detail) {
  refusal_ = refusal{
      kind, std::move(detail), route_ != nullptr ? route_->row : nullptr, {}};
  return next::refused;
}

void session::set_read_deadline() {
  const auto& limits = worker_->core().settings.limits;
  const auto now = steady_clock::now();
  if (in_body_) {
    if (std::exchange(phase_, phase::body) != phase::body)
      body_until_ = now + limits.body_total_timeout;
    deadline_ = std::min(now + limits.body_timeout, body_until_);
  } else if (scratch_ && !scratch_->in.empty()) {
    if (std::exchange(phase_, phase::head) != phase::head)
      deadline_ = now + limits.head_timeout;
  } else {
    phase_ = phase::idle;
    deadline_ = now + limits.idle_timeout;
  }
}

/// Sends what is queued, then waits for bytes. False: the connection is over.
asio::awaitable<bool> session::fill() {
  if (in_body_ && std::exchange(wants_continue_, false))
    scratch_->out += "HTTP/1.1 100 Continue\r\n\r\n";
  if (scratch_ && !scratch_->out.empty()) {
    std::string_view none;
    if (send_some(none) != sent::all && !co_await send_rest(none))
      co_return false;
  }
  set_read_deadline();
  if (phase_ == phase::idle && scratch_)
    worker_->scratches().give(std::move(scratch_));
  const bool closing = ending_ && phase_ != phase::body;
  while (!closing) {
    boost::system::error_code ec;
    co_await socket_.async_wait(tcp_socket::wait_read, resume_on(socket_, ec));
    if (ec || timed_out_ || (ending_ && phase_ != phase::body))
      break;
    if (receive()) {
      deadline_ = phase_ == phase::head ? deadline_ : io_time::max();
      co_return true;
    }
    if (errno != EAGAIN && errno != EINTR)
      break;
  }
  co_return false;
}

/// One read. False with errno 0 at the end of the stream.
bool session::receive() {
  if (!scratch_)
    scratch_ = worker_->scratches().take();
  auto& in = scratch_->in;
  if (in_body_ && !scratch_->parser->chunked())
    in.reserve(scratch_->parser->head_size() + body_size_);
  else if (in.room_size() == 0)
    in.reserve(in.size() + in_buffer::block_size);
  errno = 0;
  const auto n =
      ::recv(socket_.native_handle(), in.room(), in.room_size(), MSG_DONTWAIT);
  if (n > 0)
    in.added(static_cast<std::size_t>(n));
  return n > 0;
}

// -- answering
// -----------------------------------------------------------------

/// What stands against calling the handler, but for the permit.
std::optional<refusal> session::objection() {
  if (refusal_)
    return std::exchange(refusal_, std::nullopt);
  return worker_->core().site.check(*route_->row, scratch_->request);
}

/// Calls the handler; an answer, or why there is none.
asio::awaitable<std::expected<response, refusal>> session::call() {
  const auto& row = *route_->row;
  auto& core = worker_->core();
  auto& request = scratch_->request;
  const auto& limits = core.settings.limits;
  permit one(*worker_, row.long_poll);
  if (!one.take())
    co_return std::unexpected(
        refusal{refusal_kind::busy, "too many requests at once", &row, {}});
  request.meta.deadline =
      core.node.time().steady()
      + (row.long_poll ? limits.long_poll_deadline : limits.request_deadline);
  if (row.long_poll)
    shrink_to_request();
  common::context context{core.node, request, *this, core.registry.get(),
                          route_->owner->parts.get()};
  try {
    co_return co_await row.call(context);
  } catch (...) {
    co_return std::unexpected(
        refusal{refusal_kind::failed, "the request failed", &row, {}});
  }
}

/// Answers the request that was read. False: the connection is over.
asio::awaitable<bool> session::answer() {
  auto& core = worker_->core();
  const auto started = steady_clock::now();
  auto no = objection();
  // Nothing waits behind a held request.
  if (!no && route_->row->long_poll && !scratch_->out.empty()) {
    std::string_view none;
    if (send_some(none) != sent::all && !co_await send_rest(none))
      co_return false;
  }
  phase_ = phase::handling;
  deadline_ = io_time::max();
  response r;
  if (!no) {
    auto called = co_await call();
    if (called)
      r = std::move(*called);
    else
      no = std::move(called.error());
  }
  if (no) {
    core.count_refusal(no->kind);
    r = core.site.refuse(*no, owner_, scratch_->request);
  }
  const auto now = steady_clock::now();
  core.metrics->record(worker_->index(),
                       route_ != nullptr ? route_->index : core.site.rows(),
                       status_of(r), now - started);
  const bool keep =
      scratch_->parser->keeps_alive() && !ending_ && !worker_->draining();
  auto tail = queue(r, keep, now);
  finish_request();
  if (tail.empty() && keep
      && scratch_->out.size() < core.settings.limits.out_bytes_max)
    co_return true;
  if (send_some(tail) != sent::all && !co_await send_rest(tail))
    co_return false;
  co_return keep;
}

/// A held request keeps only its own bytes.
void session::shrink_to_request() {
  auto& s = *scratch_;
  s.out.shrink_to_fit();
  s.in.shrink();
  renew_views();
}

/// Appends the answer to the output; gives what must be sent behind it.
std::string_view session::queue(const response& r, bool keep, io_time now) {
  auto& s = *scratch_;
  const bool http_1_0 = s.parser && s.parser->is_http_1_0();
  return append_response(s.out, r,
                         {worker_->date(now), connection_line(keep, http_1_0),
                          s.head.verb == method::head});
}

void session::finish_request() {
  auto& s = *scratch_;
  s.in.consume(s.parser->head_size() + body_size_);
  s.next_request();
  if (body_permits_ != 0)
    worker_->core().body_bytes.give(std::exchange(body_permits_, 0));
  route_ = nullptr;
  owner_ = nullptr;
  ++request_number_;
  on_gone({});
  bytes_behind_ = false;
  if (std::exchange(close_watched_, false)) {
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
}

/// Answers with `refusal_` and ends the connection: what follows in the stream
/// cannot be told apart from this request's rest.
asio::awaitable<void> session::reject() {
  auto& core = worker_->core();
  auto& s = *scratch_;
  if (std::exchange(views_stale_, false))
    place_views();
  timed_out_ = false;
  core.count_refusal(refusal_->kind);
  const auto r = core.site.refuse(*refusal_, owner_, s.request);
  core.metrics->record(worker_->index(),
                       route_ != nullptr ? route_->index : core.site.rows(),
                       status_of(r), std::chrono::nanoseconds{0});
  const auto tail = queue(r, false, steady_clock::now());
  auto rest = tail;
  if (send_some(rest) == sent::all || co_await send_rest(rest))
    co_await linger();
}

// -- writing
// -------------------------------------------------------------------

/// Sends without waiting. `tail` comes behind the output; what was sent of it
/// is taken off.
session::sent session::send_some(std::string_view& tail) {
  auto& out = scratch_->out;
  for (;;) {
    iovec parts[2] = {
        {out.data() + out_sent_, out.size() - out_sent_},
        {const_cast<char*>(tail.data()), tail.size()},
    };
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = tail.empty() ? 1 : 2;
    const auto n = ::sendmsg(socket_.native_handle(), &message,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return errno == EAGAIN ? sent::some : sent::broken;
    const auto bytes = static_cast<std::size_t>(n);
    const auto of_out = std::min(bytes, parts[0].iov_len);
    out_sent_ += of_out;
    tail.remove_prefix(bytes - of_out);
    if (out_sent_ == out.size() && tail.empty()) {
      out.clear();
      out_sent_ = 0;
      return sent::all;
    }
  }
}

/// Sends the rest as the client takes it. False: it takes nothing, or is gone.
asio::awaitable<bool> session::send_rest(std::string_view tail) {
  const auto left = [&] {
    return scratch_->out.size() - out_sent_ + tail.size();
  };
  const auto timeout = worker_->core().settings.limits.write_timeout;
  phase_ = phase::writing;
  for (auto before = left() + 1;;) {
    if (left() < before)
      deadline_ = steady_clock::now() + timeout;
    before = left();
    boost::system::error_code ec;
    co_await socket_.async_wait(tcp_socket::wait_write, resume_on(socket_, ec));
    if (ec || timed_out_)
      co_return false;
    const auto state = send_some(tail);
    if (state == sent::broken)
      co_return false;
    if (state == sent::all)
      break;
  }
  phase_ = phase::handling;
  deadline_ = io_time::max();
  co_return true;
}

/// Closing with unread bytes would destroy the answer on its way (RFC 9112,
/// 9.6): send our end first, then take in what still comes, for a while.
asio::awaitable<void> session::linger() {
  boost::system::error_code ec;
  socket_.shutdown(tcp::socket::shutdown_send, ec);
  phase_ = phase::idle;
  deadline_ = steady_clock::now() + linger_time;
  auto& in = scratch_->in;
  for (std::size_t taken = 0; taken < linger_bytes_max;) {
    co_await socket_.async_wait(tcp_socket::wait_read, resume_on(socket_, ec));
    if (ec || timed_out_ || ending_)
      co_return;
    in.consume(in.size());
    if (!receive() && errno != EAGAIN && errno != EINTR)
      co_return;
    taken += in.size();
  }
}

// -- deadlines, the client's end, the server's end
// --------------------------------

void session::sweep(io_time now) {
  if (now >= deadline_) {
    deadline_ = io_time::max();
    timed_out_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
  if (bytes_behind_ && closed_by_peer()) {
    bytes_behind_ = false;
    set_gone();
  }
}

void session::drain() {
  ending_ = true;
  if (phase_ == phase::handling) {
    set_gone();
  } else if (phase_ == phase::idle || phase_ == phase::head) {
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
}

void session::abort() {
  ending_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
  set_gone();
}

void session::watch_close() {
  if (bytes_behind_ || std::exchange(close_watched_, true))
    return;
  socket_.async_wait(tcp_socket::wait_read,
                     [self = shared_from_this(), number = request_number_](
                         const boost::system::error_code& ec) {
                       if (ec || number != self->request_number_)
                         return;
                       self->close_watched_ = false;
                       self->look_for_close();
                     });
}

void session::look_for_close() {
  char byte = 0;
  const auto n =
      ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n > 0)
    bytes_behind_ = true;
  else if (n < 0 && (errno == EAGAIN || errno == EINTR))
    watch_close();
  else
    set_gone();
}

/// Pipelined bytes stand before the end of the stream: ask the kernel.
bool session::closed_by_peer() {
  tcp_info info{};
  socklen_t size = sizeof info;
  return ::getsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_INFO, &info,
                      &size)
             != 0
         || info.tcpi_state != TCP_ESTABLISHED;
}

} // namespace muster::http
