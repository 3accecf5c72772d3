#include "protocols/nacos/grpc/unary.hpp"

#include <exception>
#include <memory>
#include <string>

#include <boost/json/value.hpp>

#include "protocols/common/io_pool.hpp"
#include "protocols/common/json.hpp"
#include "protocols/common/json_out.hpp"
#include "protocols/common/trace.hpp"
#include "protocols/nacos/grpc/message_table.hpp"

namespace muster::nacos::remote {

namespace {

/// Three times the content bound as text, and what the parsed form takes.
constexpr common::json_limits unary_json{.text_bytes_max = 32U << 20U,
                                         .depth_max = 64,
                                         .memory_bytes_max = 128U << 20U};

constexpr std::string_view server_check = "ServerCheckRequest";

/// One call on its way. Whoever holds it answers it; if it is dropped without
/// an answer (the io pool stops), the client is told to come back.
class job {
public:
  job(const unary_parts& parts, rpc::unary_call& call)
    : parts_(parts), call_(call), bytes_(call.request()),
      admitted_(parts.bytes.take(bytes_.view().size())) {
    // nop
  }
  ~job() {
    if (admitted_)
      parts_.bytes.give(bytes_.view().size());
    if (!answered_)
      call_.fail({::grpc::StatusCode::UNAVAILABLE, "the server is stopping"});
  }
  job(const job&) = delete;

  /// Decodes and checks. What is to be answered already, or nothing: then
  /// `ask()` can be called.
  std::optional<reply> open();
  request ask() {
    const auto& shared = parts_.streams;
    return {*type_,       shared.node, *from_,   shared.limits,
            shared.rules, wire_,       *object_, meta_};
  }
  /// Whether there was room for its bytes.
  bool admitted() const noexcept { return admitted_; }
  const message_type& type() const { return *type_; }
  std::string_view bytes() const { return bytes_.view(); }

  void answer(const reply& r);
  void fail(::grpc::Status status) {
    answered_ = true;
    call_.fail(std::move(status));
  }
  bool decode();

private:
  std::optional<reply> check_sender();
  std::optional<reply> read_body();
  std::optional<reply> check_permission() const;
  reply check_server() const;

  const unary_parts& parts_;
  rpc::unary_call& call_;
  const message_bytes bytes_;
  const bool admitted_;
  envelope wire_;
  const message_type* type_ = nullptr;
  std::shared_ptr<client> from_;
  boost::json::value body_;
  const boost::json::object* object_ = nullptr;
  api::request_meta meta_;
  bool answered_ = false;
};

bool job::decode() {
  auto wire = parse_envelope(bytes_.view());
  if (wire)
    wire_ = *wire;
  return wire.has_value();
}

std::optional<reply> job::open() {
  if (parts_.streams.node.state() == api::node_state::starting)
    return refusal(code::starting, "the server is starting, try again later");
  if (wire_.type == server_check)
    return check_server();
  type_ = find_message_type(wire_.type);
  if (auto refused = check_sender())
    return refused;
  if (auto refused = read_body())
    return refused;
  const auto now = parts_.streams.node.time().steady();
  from_->touch(now);
  if (auto refused = check_permission())
    return refused;
  meta_.deadline = now + parts_.request_timeout;
  if (const auto parent = call_.header("traceparent"); !parent.empty())
    if (const auto trace = common::parse_traceparent(parent))
      meta_.trace = common::child_of(*trace);
  return std::nullopt;
}

reply job::check_server() const {
  std::string members;
  common::json_out json(members);
  json.member("connectionId",
              parts_.streams.clients.id_of(
                call_.peer(), parts_.streams.node.time().wall()));
  json.member("supportAbilityNegotiation", true);
  return success("ServerCheckResponse", members);
}

std::optional<reply> job::check_sender() {
  if (!type_)
    return refusal(code::no_handler, "RequestHandler Not Found");
  if (type_->from == source::cluster)
    return refusal(code::malformed, " invoke " + std::string{type_->name}
                                      + " from sdk is forbidden");
  from_ = parts_.streams.clients.find(call_.peer());
  if (!from_)
    return refusal(code::unregistered, "Connection is unregistered.");
  return std::nullopt;
}

std::optional<reply> job::read_body() {
  auto body = common::parse_json(wire_.body, unary_json);
  if (!body)
    return refusal(code::malformed, body.error().message);
  body_ = std::move(*body);
  object_ = body_.if_object();
  if (!object_)
    return refusal(code::malformed, "Invalid request");
  return std::nullopt;
}

/// Typed, or Java does not log in again (4.2). This build has no accounts:
/// with the switch on nobody can be told apart, so nobody is let through.
std::optional<reply> job::check_permission() const {
  const auto& needs = type_->needs;
  if (needs.what == common::action::none || needs.where != common::scope::open
      || !parts_.auth.open)
    return std::nullopt;
  return failure(type_->answer, code::forbidden,
                 "authorization is on, but this server has no accounts yet",
                 type_->failure_members);
}

void job::answer(const reply& r) {
  answered_ = true;
  parts_.metrics.count(type_, r.failed);
  if (r.encoded)
    call_.finish(share(r.encoded));
  else if (r.shared)
    call_.finish(make_payload(r.type, r.body, r.shared, r.after, {}));
  else
    call_.finish(make_payload(r.type, r.body));
}

/// Runs the slow handler; a bug in it is answered, not swallowed.
boost::asio::awaitable<void> run(std::shared_ptr<job> work) {
  reply made;
  try {
    auto asked = work->ask();
    made = co_await work->type().slow(asked);
  } catch (const std::exception&) {
    made = refusal(code::server, "internal error");
  }
  work->answer(made);
}

/// Whether the message is too long; gRPC itself bounds it more loosely.
bool too_long(const unary_parts& parts, const job& work) {
  return work.bytes().size() > parts.message_bytes_max
         && unescaped_size(work.bytes()) > parts.message_bytes_max;
}

} // namespace

std::size_t unescaped_size(std::string_view message) noexcept {
  auto size = message.size();
  for (std::size_t i = 0; i + 1 < message.size(); ++i) {
    if (message[i] != '\\')
      continue;
    // \uXXXX stands for one to three bytes; half of a pair for two.
    size -= message[i + 1] == 'u' ? 3 : 1;
    ++i;
  }
  return size;
}

void serve_unary(const unary_parts& parts, rpc::unary_call& call) {
  const auto work = std::make_shared<job>(parts, call);
  if (too_long(parts, *work)) {
    work->fail({::grpc::StatusCode::RESOURCE_EXHAUSTED,
                "gRPC message exceeds maximum size "
                  + std::to_string(parts.message_bytes_max) + ": "
                  + std::to_string(work->bytes().size())});
    return;
  }
  if (!work->admitted()) {
    work->fail({::grpc::StatusCode::RESOURCE_EXHAUSTED,
                "too many bytes are being worked on"});
    return;
  }
  if (!work->decode()) {
    work->fail({::grpc::StatusCode::INVALID_ARGUMENT, "not a Payload message"});
    return;
  }
  if (const auto done = work->open()) {
    work->answer(*done);
    return;
  }
  if (const auto quick = work->type().quick) {
    auto asked = work->ask();
    if (const auto done = quick(asked)) {
      work->answer(*done);
      return;
    }
  }
  common::io_pool::spawn_here([work] { return run(work); });
}

} // namespace muster::nacos::remote
