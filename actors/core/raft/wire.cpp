#include "actors/core/raft/wire.hpp"

#include <memory>
#include <string>
#include <variant>

#include "muster/peer.pb.h"

namespace muster::raft {

namespace {

void put(const log_position& p, pb::RaftPosition& out) {
  out.set_term(p.term.value);
  out.set_index(p.index.value);
}

log_position position(const pb::RaftPosition& in) {
  return {term_id{in.term()}, log_index{in.index()}};
}

void put(const vote_request& v, pb::RaftMessage& out) {
  auto& to = *out.mutable_vote_request();
  put(v.last, *to.mutable_last());
  to.set_pre(v.pre);
  to.set_forced(v.forced);
}

void put(const vote_reply& v, pb::RaftMessage& out) {
  auto& to = *out.mutable_vote_reply();
  to.set_granted(v.granted);
  to.set_pre(v.pre);
}

void put(const append_request& a, pb::RaftMessage& out) {
  auto& to = *out.mutable_append_request();
  put(a.previous, *to.mutable_previous());
  to.set_commit(a.commit.value);
  for (const auto& e : a.entries) {
    auto& entry = *to.add_entries();
    entry.set_term(e.term.value);
    entry.set_kind(static_cast<std::uint32_t>(e.kind));
    if (e.payload)
      entry.set_payload(*e.payload);
  }
}

void put(const append_reply& a, pb::RaftMessage& out) {
  auto& to = *out.mutable_append_reply();
  to.set_accepted(a.accepted);
  to.set_index(a.index.value);
  put(a.hint, *to.mutable_hint());
}

void put(const heartbeat& h, pb::RaftMessage& out) {
  auto& to = *out.mutable_heartbeat();
  to.set_commit(h.commit.value);
  to.set_read_round(h.read_round);
}

void put(const heartbeat_reply& h, pb::RaftMessage& out) {
  out.mutable_heartbeat_reply()->set_read_round(h.read_round);
}

void put(const timeout_now&, pb::RaftMessage& out) {
  out.mutable_timeout_now();
}

result<append_request> take(pb::RaftAppendRequest& in) {
  append_request out{position(in.previous()), {}, log_index{in.commit()}};
  auto index = out.previous.index;
  out.entries.reserve(static_cast<std::size_t>(in.entries_size()));
  for (auto& e : *in.mutable_entries()) {
    if (e.kind() > static_cast<std::uint32_t>(entry_kind::configuration))
      return fail(errc::invalid_argument,
                  "an entry of kind " + std::to_string(e.kind()));
    index = index.next();
    out.entries.push_back(
        {term_id{e.term()}, index, static_cast<entry_kind>(e.kind()),
         std::make_shared<const std::string>(std::move(*e.mutable_payload()))});
  }
  return out;
}

} // namespace

void to_wire(partition_id group, const message& m, pb::RaftMessage& out) {
  out.set_group(group.value);
  out.set_from(m.from.value);
  out.set_to(m.to.value);
  out.set_term(m.term.value);
  std::visit([&out](const auto& body) { put(body, out); }, m.body);
}

result<std::pair<partition_id, message>> from_wire(pb::RaftMessage&& in) {
  message m{node_id{in.from()}, node_id{in.to()}, term_id{in.term()}, {}};
  using body = pb::RaftMessage::BodyCase;
  switch (in.body_case()) {
  case body::kVoteRequest: {
    const auto& v = in.vote_request();
    m.body = vote_request{position(v.last()), v.pre(), v.forced()};
    break;
  }
  case body::kVoteReply:
    m.body = vote_reply{in.vote_reply().granted(), in.vote_reply().pre()};
    break;
  case body::kAppendRequest: {
    auto a = take(*in.mutable_append_request());
    if (!a)
      return std::unexpected(a.error());
    m.body = std::move(*a);
    break;
  }
  case body::kAppendReply: {
    const auto& a = in.append_reply();
    m.body =
        append_reply{a.accepted(), log_index{a.index()}, position(a.hint())};
    break;
  }
  case body::kHeartbeat:
    m.body = heartbeat{log_index{in.heartbeat().commit()},
                       in.heartbeat().read_round()};
    break;
  case body::kHeartbeatReply:
    m.body = heartbeat_reply{in.heartbeat_reply().read_round()};
    break;
  case body::kTimeoutNow:
    m.body = timeout_now{};
    break;
  case body::BODY_NOT_SET:
    return fail(errc::invalid_argument, "a Raft message without a known body");
  }
  return std::pair{partition_id{in.group()}, std::move(m)};
}

} // namespace muster::raft
