#include "tests/sim/distro/node.hpp"

#include <utility>

namespace muster::sim {

using naming::client_kind;

distro_node::distro_node(node_id id, std::uint64_t boot,
                         const distro::distro_settings& settings,
                         random& chance, milliseconds skew)
    : settings_(settings), chance_(chance),
      skew_(skew), shared_{{id, boot}, revisions_} {}

void distro_node::set_members(std::vector<distro::peer> all, steady_time now) {
  ring_ = std::make_shared<const distro::ring>(id(), std::move(all));
  if (!distro_)
    distro_.emplace(shared_.self, settings_, revisions_, now);
  distro_->set_members(ring_, now);
}

distro_node::service& distro_node::open(const service_key& key,
                                        steady_time now) {
  const auto found = services_.find(key);
  if (found != services_.end())
    return found->second;
  auto& made =
      services_.emplace(key, service{{key, sim_rules, now, &shared_}, nullptr})
          .first->second;
  made.view = made.core.publish_view(wall(now));
  return made;
}

naming::service_view_ptr distro_node::view(const service_key& key) const {
  const auto found = services_.find(key);
  return found == services_.end() ? nullptr : found->second.view;
}

// -- requests -----------------------------------------------------------------

void distro_node::request(distro::client_call call, bool here, steady_time now,
                          on_reply done) {
  const auto node = ring_->responsible(call.client_id);
  if (here || node == id()) {
    do_here(call, now, done);
    return;
  }
  call.revision = open(call.service, now).core.revision_of(call.client_id);
  to_distro_.push_back({{}, [this, node, call, done](steady_time at) {
                          const auto number = distro_->call(node, call, at);
                          waiting_[number] = done;
                          called_[number] = call;
                        }});
}

void distro_node::do_here(const distro::client_call& call, steady_time now,
                          const on_reply& done) {
  using what = distro::client_call::what;
  auto& core = open(call.service, now).core;
  client_reply r{true, true};
  switch (call.kind) {
  case what::publish:
    r.ok = core.publish(call.client_id, client_kind::heart_beat, call.instances,
                        now)
               .has_value();
    break;
  case what::retract:
    core.retract(call.client_id, now);
    break;
  case what::beat:
    const auto beat = core.beat(
        call.client_id,
        call.instances.empty() ? nullptr : call.instances.front(), now);
    r = {beat.has_value(), beat.has_value() && beat->known};
    break;
  }
  publish_views(now);
  done(r);
}

void distro_node::publish_stream(const service_key& key,
                                 const std::string& client,
                                 std::vector<naming::instance_ptr> instances,
                                 steady_time now) {
  (void)open(key, now).core.publish(client, client_kind::stream, instances,
                                    now);
}

void distro_node::retract(const service_key& key, const std::string& client,
                          steady_time now) {
  open(key, now).core.retract(client, now);
}

// -- time ---------------------------------------------------------------------

void distro_node::step(steady_time now, bool tick) {
  if (tick) {
    revisions_.observe(to_unix_ms(wall(now)));
    distro_->tick(now);
    for (auto& [_, s] : services_)
      s.core.expire(now);
  }
  publish_views(now);
  take_output(now);
  // A mailbox may stand still for a while.
  for (auto* box : {&to_distro_, &to_services_})
    while (!box->empty() && !chance_.chance(100'000)) {
      const auto next = std::move(box->front());
      box->pop_front();
      next.run(now);
      publish_views(now);
      take_output(now);
    }
}

void distro_node::publish_views(steady_time now) {
  for (auto& [key, s] : services_) {
    if (!s.core.dirty())
      continue;
    s.view = s.core.publish_view(wall(now));
    for (auto& p : s.core.take_changes())
      to_distro_.push_back(
          {{}, [this, p](steady_time at) { distro_->changed(p, at); }});
  }
}

void distro_node::take_output(steady_time now) {
  auto out = distro_->take_output(now);
  for (auto& o : out.orders)
    to_services_.push_back({*o.publication->service,
                            [this, o](steady_time at) { carry_out(o, at); }});
  for (auto& in : out.calls)
    to_services_.push_back(
        {in.call.service, [this, in](steady_time at) {
           do_here(in.call, at, [this, in](const client_reply& r) {
             to_distro_.push_back(
                 {{}, [this, in, r](steady_time) {
                    distro_->answer(in, {{errc::ok, {}}, r.known, {}});
                  }});
           });
         }});
  for (auto& ended : out.answers) {
    auto done = waiting_.extract(ended.id);
    auto call = called_.extract(ended.id);
    if (done)
      to_services_.push_back(
          {{},
           [this, ended, done = std::move(done.mapped()),
            call = std::move(call.mapped())](steady_time at) {
             if (ended.answer.failure.code == errc::ok)
               done({true, ended.answer.known});
             else
               request(call, true, at, done);
           }});
  }
  for (auto& m : out.messages)
    messages_.push_back(std::move(m));
}

std::vector<distro::outgoing> distro_node::take_messages() {
  return std::exchange(messages_, {});
}

void distro_node::carry_out(const distro::order& o, steady_time now) {
  using what = distro::order::what;
  const auto& p = *o.publication;
  auto& core = open(*p.service, now).core;
  switch (o.kind) {
  case what::apply:
    core.apply(p, o.responsible, now);
    break;
  case what::remove:
    core.apply_removal(p, now);
    break;
  case what::adopt:
    core.adopt(p.client_id, p.from.revision, now);
    break;
  case what::abandon:
    core.abandon(p.client_id, p.from.revision, now);
    break;
  }
}

// -- crashes ------------------------------------------------------------------

service_key distro_node::crash_service(steady_time now) {
  if (services_.empty())
    return {};
  auto it = services_.begin();
  std::advance(it, static_cast<std::ptrdiff_t>(
                       chance_.between(0, services_.size() - 1)));
  const auto key = it->first;
  const auto view = it->second.view;
  services_.erase(it);
  auto& next =
      services_.emplace(key, service{{key, sim_rules, now, &shared_}, view})
          .first->second;
  next.core.take_over(*view, now);
  const auto lost = std::erase_if(
      to_services_, [&](const mail& m) { return m.service == key; });
  if (lost > 0)
    distro_->missed(key);
  return key;
}

void distro_node::crash_distro(steady_time now) {
  distro_.emplace(shared_.self, settings_, revisions_, now);
  to_distro_.clear();
  for (auto& [_, s] : services_)
    for (auto& p : naming::publications_of(*s.view))
      distro_->found(std::move(p));
  distro_->set_members(ring_, now);
  auto broken = std::exchange(called_, {});
  for (auto& [number, call] : broken) {
    auto done = waiting_.extract(number);
    request(std::move(call), true, now, std::move(done.mapped()));
  }
}

} // namespace muster::sim
