#include "protocols/nacos/grpc/bi_stream.hpp"

#include <charconv>

#include <boost/json/value.hpp>

#include "protocols/common/ask.hpp"
#include "protocols/common/json.hpp"
#include "protocols/nacos/grpc/members.hpp"

namespace muster::nacos::remote {

namespace {

constexpr common::json_limits stream_json{
  .text_bytes_max = 1U << 20U, .depth_max = 64, .memory_bytes_max = 4U << 20U};
constexpr std::size_t labels_max = 256;

/// Who is there, from the set-up's body.
api::client_info read_info(members& in, const envelope& wire) {
  api::client_info info;
  info.client_ip = wire.client_ip;
  info.version = in.text_or("clientVersion");
  if (const auto* labels = in.object("labels")) {
    members each(*labels);
    for (const auto& [name, value] : *labels) {
      const auto text = each.text(name);
      if (!text || info.labels.size() >= labels_max)
        continue;
      info.labels.emplace_back(name, *text);
      if (name == "AppName")
        info.app = *text;
    }
  }
  return info;
}

} // namespace

void bi_stream::on_message(const ::grpc::ByteBuffer& message) {
  const message_bytes bytes(message);
  const auto wire = parse_envelope(bytes.view());
  if (!wire)
    return;
  if (wire->type == "ConnectionSetupRequest")
    set_up(*wire);
  else if (client_ && wire->type.ends_with("Response"))
    answered(*wire);
}

void bi_stream::set_up(const envelope& wire) {
  const auto body = common::parse_json(wire.body, stream_json);
  if (!body || !body->is_object())
    return;
  members in(body->get_object());
  auto info = read_info(in, wire);
  const auto wants_ack = in.object("abilityTable") != nullptr;
  if (!in.good())
    return;
  // A second set-up on the same stream is answered, but changes nothing.
  if (client_) {
    if (wants_ack)
      client_->send_setup_ack();
    return;
  }
  info.connection_id
    = parts_.clients.id_of(stream_->peer(), parts_.node.time().wall());
  info.remote_address = parse_peer(stream_->peer()).ip;
  if (info.client_ip.empty())
    info.client_ip = info.remote_address;
  const auto fresh = std::make_shared<client>(
    info, stream_, parts_.node.facts().advertised_ip, parts_.node.time(),
    [&clients = parts_.clients](client& one) { clients.remove(one); });
  auto actor = parts_.node.connect(std::move(info), fresh);
  if (!actor) {
    stream_->close({static_cast<::grpc::StatusCode>(actor.error().code),
                    actor.error().message});
    return;
  }
  fresh->attach(std::move(*actor));
  client_ = fresh;
  // The newest stream of a transport wins.
  if (const auto before = parts_.clients.add(fresh))
    before->close("another stream of this connection took over");
  if (wants_ack)
    fresh->send_setup_ack();
}

void bi_stream::answered(const envelope& wire) {
  const auto body = common::parse_json(wire.body, stream_json);
  if (!body || !body->is_object())
    return;
  members in(body->get_object());
  // Only the id and the code count: some clients answer with another type, or
  // say `success: false` and mean it well (11).
  const auto id = in.text_or("requestId");
  const auto ok = in.number("resultCode", 200) == 200;
  api::push_answered answer{0, ok && in.good()};
  std::from_chars(id.data(), id.data() + id.size(), answer.request_id);
  common::tell(client_->actor(), answer);
}

void bi_stream::on_end() {
  drop_client();
  stream_.reset();
}

void bi_stream::drop_client() {
  const auto last = std::exchange(client_, nullptr);
  if (!last)
    return;
  parts_.clients.remove(*last);
  last->mark_ended();
  parts_.limits.release_all(last.get());
  common::tell(last->actor(), api::stream_closed{});
}

} // namespace muster::nacos::remote
