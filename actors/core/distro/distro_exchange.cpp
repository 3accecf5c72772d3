#include <unordered_map>
#include <utility>

#include "actors/core/distro/distro_core.hpp"

/// What nodes ask each other: comparison, load at start, calls for clients.
namespace muster::distro {

namespace {

publication_name name_of(const pb::DistroName& n) {
  const auto& s = n.service();
  return {{s.space(), s.group(), s.service()}, n.client_id()};
}

struct name_hash {
  std::size_t operator()(const publication_name& n) const noexcept {
    return hash_of(n);
  }
};

/// Every message has at least so many bytes that no field accounts for.
constexpr std::size_t small = 64;

} // namespace

void distro_core::receive(node_id from, std::string_view bytes,
                          steady_time now) {
  pb::DistroMessage m;
  if (!ring_ || from == self_.node || !ring_->find(from)
      || !m.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return;
  peers_[from].unsent = false;
  for (const auto& each : m.changes())
    if (const auto p = from_wire(each))
      merge(*p, from);
  for (const auto& each : m.pulled())
    on_pulled(from, m.boot(), each, now);
  if (m.has_verify())
    on_verify(from, m.boot(), m.verify(), now);
  for (const auto& each : m.pulls())
    on_pull(from, m.boot(), each);
  for (const auto& each : m.calls())
    on_call(from, each);
  for (const auto& each : m.answers())
    on_answer(from, each);
}

void distro_core::unsent(node_id to, steady_time now) {
  auto& p = peers_[to];
  p.unsent = true;
  if (p.asks.asks_all())
    p.asks.expire(now + settings_.pull_timeout);
  else
    p.asks.give_up();
  std::vector<std::uint64_t> lost;
  for (const auto& [id, c] : calls_)
    if (c.to == to)
      lost.push_back(id);
  for (const auto id : lost)
    end_call(id, {errc::unavailable, "the responsible node is not reached"});
}

// -- comparison ---------------------------------------------------------------

void distro_core::send_verify() {
  pb::DistroMessage m;
  auto& v = *m.mutable_verify();
  v.set_count(table_.count(self_));
  for (const auto sum : table_.sums(self_))
    v.add_sums(sum);
  out_.broadcast(reachable(), std::move(m));
}

void distro_core::on_verify(node_id from, std::uint64_t boot,
                            const pb::DistroVerify& m, steady_time now) {
  if (m.sums_size() != static_cast<int>(bucket_count))
    return;
  const auto mine = table_.sums({from, boot});
  auto& asks = peers_[from].asks;
  for (std::size_t b = 0; b < bucket_count; ++b)
    if (mine[b] != m.sums(static_cast<int>(b)))
      asks.want(b);
  pump(from, now);
}

/// Sends the next questions to a peer: what of these parts have you newer?
void distro_core::pump(node_id to, steady_time now) {
  auto& p = peers_[to];
  if (p.unsent)
    return;
  const auto weight = [&](std::size_t part) { return table_.count_in(part); };
  while (auto q = p.asks.next(settings_.pulls_at_once, settings_.named_max,
                              now + settings_.pull_timeout, weight)) {
    pb::DistroPull pull;
    pull.set_round(q->round);
    pull.set_all(q->all);
    for (const auto part : q->ask) {
      pull.add_parts(part);
      table_.each_in(part, [&](const publication_ptr& each) {
        if (q->all || each->from.owner.node == to)
          to_wire(*each, *pull.add_have());
      });
    }
    auto& m = out_.direct(to, small + pull.ByteSizeLong());
    *m.add_pulls() = std::move(pull);
  }
}

void distro_core::on_pull(node_id from, std::uint64_t boot,
                          const pb::DistroPull& m) {
  std::unordered_map<publication_name, std::uint64_t, name_hash> have;
  for (const auto& n : m.have())
    have.emplace(name_of(n), n.revision());
  pb::DistroPulled out;
  out.set_round(m.round());
  std::size_t bytes = 0;
  const auto add = [&](const publication& p) {
    to_wire(p, *out.add_newer());
    bytes += static_cast<std::size_t>(
        out.newer(out.newer_size() - 1).ByteSizeLong());
  };
  const node_life asker{from, boot};
  for (const auto part : m.parts()) {
    if (part >= bucket_count || bytes >= settings_.message_bytes_max)
      break;
    bool complete = true;
    table_.each_in(part, [&](const publication_ptr& p) {
      const bool own = p->from.owner == self_;
      const auto known = have.find(distro::name_of(*p));
      const bool wanted = m.all() || own || known != have.end();
      if (!wanted || p->from.owner == asker)
        return;
      if (known == have.end() || known->second < p->from.revision) {
        complete = complete && bytes < settings_.message_bytes_max;
        if (complete)
          add(*p);
      } else if (own && !m.all() && known->second > p->from.revision) {
        // It has a revision of ours that we do not know: ours becomes newer.
        revisions_.observe(known->second);
        put_order(order::what::adopt, p);
      }
    });
    if (complete)
      out.add_parts(part);
  }
  // What it takes for ours and is not, unless it just learned whose it is.
  if (!m.all())
    for (const auto& n : m.have()) {
      const auto here = table_.find(name_of(n));
      if (!here
          || (here->from.owner != self_ && here->from.revision <= n.revision()))
        *out.add_gone() = n;
    }
  *out_.direct(from, small + bytes).add_pulled() = std::move(out);
}

void distro_core::on_pulled(node_id from, std::uint64_t boot,
                            const pb::DistroPulled& m, steady_time now) {
  auto& p = peers_[from];
  if (!p.asks.answered(m.round(), m.parts()))
    return;
  p.lost = 0;
  for (const auto& each : m.newer())
    if (const auto newer = from_wire(each))
      merge(*newer, from);
  for (const auto& n : m.gone()) {
    const auto mine = table_.find(name_of(n));
    if (!mine || mine->from.owner != node_life{from, boot}
        || mine->from.revision != n.revision())
      continue;
    auto removal = std::make_shared<publication>(*mine);
    removal->instances.clear();
    merge_removal(removal, mine);
  }
  pump(from, now);
  load(now);
}

// -- load at start ------------------------------------------------------------

/// One peer after the other tells all it knows that those before did not.
void distro_core::load(steady_time now) {
  if (loaded_ || !ring_)
    return;
  const bool over = now - started_ >= settings_.load_at_most;
  for (const auto id : reachable()) {
    auto& p = peers_[id];
    using phase = peer_state::load;
    if (p.loading == phase::waiting && !over) {
      p.loading = phase::running;
      p.asks.want_all();
      p.unsent = false;
    }
    if (p.loading == phase::over)
      continue;
    const bool given_up =
        over || p.lost > settings_.pulls_at_once
        || (p.unsent && now - started_ >= settings_.unreachable_after);
    if (given_up)
      p.asks.give_up();
    if (given_up || p.asks.idle()) {
      p.loading = phase::over;
      continue;
    }
    p.unsent = false; // tried anew at each tick
    pump(id, now);
    return;
  }
  loaded_ = true;
}

// -- calls --------------------------------------------------------------------

std::uint64_t distro_core::call(node_id to, const client_call& call,
                                steady_time now) {
  const auto id = ++last_call_;
  if (calls_.size() >= settings_.calls_max) {
    output_.answers.push_back(
        {id, {{errc::unavailable, "too many calls wait for other nodes"}}});
    return id;
  }
  calls_[id] = {to, now + settings_.call_timeout};
  pb::DistroCall out;
  out.set_id(id);
  to_wire(call.service, *out.mutable_service());
  out.set_client_id(call.client_id);
  out.set_revision(call.revision);
  out.set_kind(static_cast<pb::DistroCall::Kind>(call.kind));
  for (const auto& i : call.instances)
    to_wire(*i, *out.add_instances());
  *out_.direct(to, small + out.ByteSizeLong()).add_calls() = std::move(out);
  return id;
}

void distro_core::end_call(std::uint64_t id, error why) {
  if (calls_.erase(id) > 0)
    output_.answers.push_back({id, {std::move(why)}});
}

void distro_core::on_call(node_id from, const pb::DistroCall& m) {
  output::incoming in{from, m.id(), {}};
  const bool fits = m.kind() >= 0 && m.kind() <= pb::DistroCall::BEAT
                    && naming::lives_by_beats(m.client_id());
  if (!fits || !loaded_ || incoming_ >= settings_.calls_max) {
    auto& out = *out_.direct(from, small).add_answers();
    out.set_id(m.id());
    out.set_code(static_cast<std::uint32_t>(errc::unavailable));
    out.set_message(fits ? "the node cannot take calls now"
                         : "a call that this version does not know");
    return;
  }
  ++incoming_;
  in.call.kind = static_cast<client_call::what>(m.kind());
  in.call.service = from_wire(m.service());
  in.call.client_id = m.client_id();
  in.call.revision = m.revision();
  for (const auto& i : m.instances())
    in.call.instances.push_back(from_wire(i));
  output_.calls.push_back(std::move(in));
}

void distro_core::answer(const output::incoming& call,
                         const call_answer& answer) {
  --incoming_;
  pb::DistroAnswer out;
  out.set_id(call.id);
  out.set_code(static_cast<std::uint32_t>(answer.failure.code));
  out.set_message(answer.failure.message);
  out.set_known(answer.known);
  out.set_interval_ms(static_cast<std::uint64_t>(answer.interval.count()));
  const auto& c = call.call;
  const auto now_is = table_.find({c.service.view(), c.client_id});
  if (now_is && now_is->from.revision > c.revision) {
    to_wire(*now_is, *out.mutable_publication());
  } else if (!now_is && c.kind == client_call::what::retract) {
    publication removal;
    removal.service = std::make_shared<const service_key>(c.service);
    removal.client_id = c.client_id;
    removal.from = {revisions_.next(), self_, false};
    removal.asked = true;
    to_wire(removal, *out.mutable_publication());
  }
  *out_.direct(call.from, small + out.ByteSizeLong()).add_answers() =
      std::move(out);
}

void distro_core::on_answer(node_id from, const pb::DistroAnswer& m) {
  if (calls_.erase(m.id()) == 0)
    return;
  if (m.has_publication())
    if (const auto p = from_wire(m.publication()))
      merge(*p, from);
  output_.answers.push_back(
      {m.id(),
       {{static_cast<errc>(m.code()), m.message()},
        m.known(),
        milliseconds(static_cast<std::int64_t>(m.interval_ms()))}});
}

} // namespace muster::distro
