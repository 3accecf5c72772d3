#include "actors/runtime/peer_calls.hpp"

#include <utility>

namespace muster::runtime {

pb::PeerCall& peer_calls::begin(node_id to, kind what, reply owed,
                                steady_time until, pb::RaftTraffic& due) {
  const auto id = next_++;
  calls_.emplace(id, call{to, what, std::move(owed), until});
  auto& out = *due.add_calls();
  out.set_id(id);
  return out;
}

void peer_calls::answered(node_id by, const pb::PeerAnswer& answer) {
  const auto found = calls_.find(answer.id());
  if (found == calls_.end() || found->second.to != by)
    return;
  auto c = std::move(found->second);
  calls_.erase(found);
  auto outcome = from_wire(answer.outcome());
  if (answer.failed())
    c.owed.fail({outcome.code, std::move(outcome.message)});
  else if (c.what == kind::write)
    c.owed.deliver(std::move(outcome));
  else if (c.what == kind::barrier)
    c.owed.deliver(outcome.index);
  else
    c.owed.deliver(std::string(answer.read()));
}

void peer_calls::not_sent(const pb::RaftTraffic& traffic) {
  for (const auto& each : traffic.calls()) {
    const auto found = calls_.find(each.id());
    if (found == calls_.end())
      continue;
    found->second.owed.fail(
        {errc::unavailable, "too much is on its way there"});
    calls_.erase(found);
  }
}

void peer_calls::lost(node_id to) {
  for (auto each = calls_.begin(); each != calls_.end();) {
    if (each->second.to != to) {
      ++each;
      continue;
    }
    give_up(each->second, "the connection was lost before the answer came");
    each = calls_.erase(each);
  }
}

void peer_calls::expire(steady_time now) {
  while (!calls_.empty() && calls_.begin()->second.until <= now) {
    give_up(calls_.begin()->second, "no answer of the other node in time");
    calls_.erase(calls_.begin());
  }
}

void peer_calls::give_up(call& c, const char* why) {
  c.owed.fail(
      {c.what == kind::write ? errc::unknown : errc::unavailable, why});
}

void to_wire(const model::outcome& in, pb::Outcome& out) {
  out.set_code(static_cast<std::uint32_t>(in.code));
  out.set_message(in.message);
  out.set_index(in.index.value);
  out.set_id(in.id);
  out.set_existed(in.existed);
}

model::outcome from_wire(pb::Outcome in) {
  return {static_cast<errc>(in.code()), std::move(*in.mutable_message()),
          log_index{in.index()}, in.id(), in.existed()};
}

} // namespace muster::runtime
