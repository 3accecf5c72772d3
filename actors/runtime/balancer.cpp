#include "actors/runtime/balancer.hpp"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <thread>
#include <utility>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/runtime/accept.hpp"
#include "actors/runtime/supervisor.hpp"

namespace muster::runtime {

namespace {

/// To oneself: send clients away if this node drains.
struct look_at_drain {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::look_at_drain)

namespace muster::runtime {

namespace {

using balancer_impl =
    api::balancer_actor::extend<caf::reacts_to<look_at_drain>>;

constexpr milliseconds look_every{500};
/// What Nacos waits for members.
constexpr milliseconds survey_timeout{1'000};
constexpr milliseconds move_timeout{2'000};
/// A node that drains sends so many away at once, or a tenth.
constexpr std::uint64_t drained_at_once_min = 100;

cluster::node_load load_of(const cluster::member& m,
                           const pb::ClientsReport& report) {
  return {.node = m.id,
          .address = m.address(),
          .connections = report.connections(),
          .sdks = report.sdks(),
          .load = report.load(),
          .cpu = report.cpu()};
}

class balancer_state {
public:
  static constexpr const char* actor_name = "balancer";

  balancer_state(balancer_impl::pointer self, balancer_parts parts)
      : self_(self), parts_(parts) {
    look();
  }

  caf::result<api::load_survey> survey();
  caf::result<api::clients_balanced> balance(double factor);
  void look();

private:
  using surveyed = std::function<void(api::load_survey)>;
  using reported = std::function<void(const pb::ClientsReport&)>;
  using failed = std::function<void(const error&)>;

  void gather(surveyed done);
  void call(node_id to, const pb::ClientsCall& what, milliseconds at_most,
            const reported& done, const failed& otherwise);
  void move(const std::vector<cluster::client_move>& moves, owed_reply to);

  balancer_impl::pointer self_;
  balancer_parts parts_;
};

/// Asks that member's door, or does it here.
void balancer_state::call(node_id to, const pb::ClientsCall& what,
                          milliseconds at_most, const reported& done,
                          const failed& otherwise) {
  if (to == parts_.context.members.load()->self) {
    done(serve_clients_call(what, parts_.handles.clients.load().get()));
    return;
  }
  const auto gate = parts_.handles.gate.load();
  if (!gate) {
    otherwise({errc::unavailable, "the way to other nodes is restarting"});
    return;
  }
  self_->request(gate, at_most, clients_at{to, what.SerializeAsString()})
      .then(
          [done, otherwise](const std::string& bytes) {
            pb::ClientsReport report;
            if (report.ParseFromString(bytes))
              done(report);
            else
              otherwise({errc::data_loss, "a report does not parse"});
          },
          [otherwise](const caf::error& e) { otherwise(api::from_caf(e)); });
}

void balancer_state::gather(surveyed done) {
  struct gathering {
    api::load_survey found;
    std::size_t missing;
    surveyed done;
    void one_less() {
      if (--missing > 0)
        return;
      std::ranges::sort(found.rows, {}, &cluster::node_load::address);
      done(std::move(found));
    }
  };
  const auto members = parts_.context.members.load();
  const auto all = members->all.size();
  const auto job =
      std::make_shared<gathering>(gathering{{{}, all}, all, std::move(done)});
  for (const auto& each : members->all)
    call(
        each.id, {}, survey_timeout,
        [job, each](const pb::ClientsReport& report) {
          job->found.rows.push_back(load_of(each, report));
          job->one_less();
        },
        [job](const error&) { job->one_less(); });
}

caf::result<api::load_survey> balancer_state::survey() {
  auto to = share(reply{self_});
  gather([to](api::load_survey found) { to->deliver(std::move(found)); });
  return caf::delegated<api::load_survey>{};
}

caf::result<api::clients_balanced> balancer_state::balance(double factor) {
  auto to = share(reply{self_});
  gather([this, to, factor](api::load_survey found) {
    move(cluster::balance(std::move(found.rows), factor), to);
  });
  return caf::delegated<api::clients_balanced>{};
}

void balancer_state::move(const std::vector<cluster::client_move>& moves,
                          owed_reply to) {
  struct moving {
    api::clients_balanced done;
    std::size_t missing;
    owed_reply to;
    std::optional<error> failure = {};
    void one_less() {
      if (--missing > 0)
        return;
      if (failure)
        to->fail(*failure);
      else
        to->deliver(done);
    }
  };
  if (moves.empty()) {
    to->deliver(api::clients_balanced{});
    return;
  }
  const auto job =
      std::make_shared<moving>(moving{{}, moves.size(), std::move(to)});
  for (const auto& each : moves) {
    pb::ClientsCall what;
    what.set_shed(true);
    what.set_keep(each.keep);
    what.set_target(each.target);
    call(
        each.from, what, move_timeout,
        [job, each](const pb::ClientsReport& report) {
          spdlog::info("node {} asked {} clients to move to {}",
                       each.from.value, report.asked(), each.target);
          job->done.asked += report.asked();
          job->one_less();
        },
        [job](const error& e) {
          job->failure = error{errc::unavailable, e.message};
          job->one_less();
        });
  }
}

void balancer_state::look() {
  self_->delayed_send(self_, look_every, look_at_drain{});
  const auto members = parts_.context.members.load();
  const auto streams = parts_.handles.clients.load();
  const auto* own = members->find(members->self);
  if (!streams || !own || own->state != cluster::member_state::draining)
    return;
  const auto targets = cluster::refuges(*members);
  const auto here = streams->counts().sdks;
  if (targets.empty() || here == 0)
    return;
  const auto some = std::min<std::size_t>(
      here, std::max<std::size_t>(drained_at_once_min,
                                  here - cluster::kept_at_once(here, 0)));
  streams->shed(here - some, targets);
}

using pointer = balancer_impl::stateful_pointer<holder<balancer_state>>;

balancer_impl::behavior_type balancer(pointer self,
                                      const balancer_parts& parts) {
  auto& s = self->state.it.emplace(self, parts);
  drop_unexpected(self);
  return {
      [&s](const api::survey_loads&) { return s.survey(); },
      [&s](const api::balance_clients& m) { return s.balance(m.factor); },
      [&s](look_at_drain) { s.look(); },
  };
}

} // namespace

api::balancer_actor spawn_balancer(caf::actor_system& system,
                                   balancer_parts parts) {
  return system.spawn(balancer, parts);
}

pb::ClientsReport serve_clients_call(const pb::ClientsCall& call,
                                     api::client_streams* streams) {
  pb::ClientsReport out;
  double load = 0;
  if (getloadavg(&load, 1) == 1) {
    out.set_load(load);
    out.set_cpu(std::min(
        1.0, load / std::max(1U, std::thread::hardware_concurrency())));
  }
  if (!streams)
    return out;
  const auto counts = streams->counts();
  out.set_connections(counts.all);
  out.set_sdks(counts.sdks);
  if (!call.shed())
    return out;
  std::vector<std::string> targets;
  if (!call.target().empty())
    targets.push_back(call.target());
  out.set_asked(
      streams->shed(cluster::kept_at_once(counts.sdks, call.keep()), targets));
  return out;
}

} // namespace muster::runtime
