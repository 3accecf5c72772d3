#include "actors/runtime/partition_proxy.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/model/check.hpp"
#include "actors/core/watch/feed_follower.hpp"
#include "actors/runtime/accept.hpp"
#include "actors/runtime/leader_desk.hpp"
#include "actors/runtime/partition_wire.hpp"

namespace muster::runtime {

namespace {

/// To oneself: try again what did not work. Only the newest one counts.
struct proxy_tick {
  std::uint64_t number = 0;
};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::proxy_tick)

namespace muster::runtime {

namespace {

using proxy_impl = partition_proxy_actor::extend<caf::reacts_to<proxy_tick>>;

constexpr milliseconds tick_every{100};
/// As long as all goes well: there are many partitions.
constexpr milliseconds idle_tick_every{2'000};
constexpr milliseconds worker_timeout{5'000};
/// A node that does not answer for so long is left.
constexpr milliseconds read_timeout{1'500};
/// More than a server holds back an answer without news.
constexpr milliseconds feed_timeout{4'000};
/// A replica that is here is waited for at start: it may be a member's.
constexpr milliseconds own_replica_wait{10'000};
/// So long others are asked what changed before the tables here were shown.
constexpr milliseconds told_wait{10'000};

std::uint64_t draw() {
  std::random_device source;
  return (std::uint64_t{source()} << 32U) ^ source();
}

class partition_proxy_state {
public:
  static constexpr const char* actor_name = "partition_proxy";

  partition_proxy_state(proxy_impl::pointer self, partition_proxy_parts parts)
      : self_(self), parts_(std::move(parts)), desk_(self, desk_parts()),
        began_(now()), follower_(told_wait) {
    // Since when, a predecessor knew.
    if (view().is_here())
      own_tables_tell({});
    tick({0});
  }

  cluster::partition_view& view() const {
    return parts_.handles.views[parts_.group.value];
  }
  state_worker_actor worker() const {
    return parts_.handles.worker_of(parts_.group);
  }

  /// Answers the message that is being handled, as the worker would here.
  template <class Answer, class M>
  caf::result<Answer> read(const M& m, pb::PartitionRead what,
                           std::function<Answer(pb::PartitionAnswer)> take);
  caf::result<model::outcome> propose(const api::propose& m);
  caf::result<log_index> barrier(const api::read_barrier& m);
  void replica_is_ready();
  caf::result<api::done> stand_in();
  void tick(const proxy_tick& m);

private:
  struct remote_read {
    pb::PartitionRead what;
    steady_time until;
    std::function<void(pb::PartitionAnswer)> done;
    /// Reads the own tables instead, once they are shown.
    std::function<void()> here;
    owed_reply to;
  };
  using remote_read_ptr = std::shared_ptr<remote_read>;

  steady_time now() const { return parts_.context.time.steady(); }
  leader_desk_parts desk_parts();
  node_id server();
  void left(node_id who);
  template <class Done, class Failed>
  void ask(node_id to, const pb::PartitionRead& what, milliseconds at_most,
           Done done, Failed failed);
  void start_read(const remote_read_ptr& r);
  void follow();
  bool take_part(std::optional<log_index> asked, const pb::FeedPart& part);
  void begin_watches_anew();
  void own_tables_tell(log_index from);
  void ask_leader();
  void led_by(node_id who);
  void show();
  void announce();
  bool shows(log_index index);
  void park(const remote_read_ptr& r);
  void retry_parked();
  bool is_settled() const;
  void hurry();
  void arm(milliseconds wait);

  proxy_impl::pointer self_;
  partition_proxy_parts parts_;
  leader_desk<proxy_impl::pointer> desk_;
  steady_time began_;
  bool announced_ = false;
  std::uint64_t ticks_ = 0;
  bool idle_ = false;

  node_id server_; ///< where it reads; 0 = nobody yet
  node_id left_;   ///< who did not answer last
  node_id leader_;
  watch::feed_follower follower_;
  bool following_ = false;
  std::vector<remote_read_ptr> parked_;
  std::size_t reads_ = 0;

  bool wants_show_ = false;
  bool showing_ = false;
  /// At least so far the own tables are, once they are shown.
  log_index applied_here_;
};

leader_desk_parts partition_proxy_state::desk_parts() {
  return {.group = parts_.group,
          .client = draw(),
          .time = parts_.context.time,
          .times = parts_.times,
          .leader = [this] { return leader_; },
          .here = [] { return member_actor{}; },
          .gate = [this] { return parts_.handles.gate.load(); },
          .shows = [this](log_index index) { return shows(index); },
          .parked = [this] { hurry(); }};
}

// -- other nodes --------------------------------------------------------------

/// One that shows the partition: the same while it can, one of the own zone
/// rather than another, and others for other partitions.
node_id partition_proxy_state::server() {
  const auto members = parts_.context.members.load();
  const auto& own = members->own();
  std::vector<node_id> near;
  std::vector<node_id> all;
  bool left_is_there = false;
  for (const auto& m : members->all) {
    if (m.id == parts_.self || m.state == api::member_state::down
        || !std::ranges::binary_search(m.shows, parts_.group.value))
      continue;
    if (m.id == server_)
      return server_;
    if (m.id == left_) {
      left_is_there = true;
      continue;
    }
    all.push_back(m.id);
    if (m.zone == own.zone && m.region == own.region)
      near.push_back(m.id);
  }
  const auto& some = near.empty() ? all : near;
  if (!some.empty())
    server_ = some[(parts_.self.value + parts_.group.value) % some.size()];
  else if (left_is_there)
    server_ = left_; // perhaps it answers again
  return server_;
}

void partition_proxy_state::left(node_id who) {
  left_ = who;
  if (server_ == who)
    server_ = {};
}

template <class Done, class Failed>
void partition_proxy_state::ask(node_id to, const pb::PartitionRead& what,
                                milliseconds at_most, Done done,
                                Failed failed) {
  const auto gate = parts_.handles.gate.load();
  if (!gate) {
    failed(error{errc::unavailable, "the way to other nodes is restarting"});
    return;
  }
  self_
      ->request(gate, at_most,
                read_partition_at{to, parts_.group, what.SerializeAsString()})
      .then(
          [done, failed](const std::string& bytes) {
            pb::PartitionAnswer answer;
            if (answer.ParseFromString(bytes))
              done(std::move(answer));
            else
              failed(error{errc::data_loss, "an answer does not parse"});
          },
          [failed](const caf::error& e) { failed(api::from_caf(e)); });
}

// -- reads --------------------------------------------------------------------

template <class Answer, class M>
caf::result<Answer>
partition_proxy_state::read(const M& m, pb::PartitionRead what,
                            std::function<Answer(pb::PartitionAnswer)> take) {
  if (const auto to = worker(); to && view().is_here()) {
    reply{self_}.pass_on(to, m);
    return caf::delegated<Answer>{};
  }
  if (reads_ >= parts_.reads_max)
    return api::to_caf(
        {errc::resource_exhausted, "too many reads in progress"});
  ++reads_;
  auto r = std::make_shared<remote_read>();
  r->what = std::move(what);
  r->until = now() + parts_.times.leader_wait;
  r->to = share(reply{self_});
  r->done = [to = r->to, take = std::move(take)](pb::PartitionAnswer a) {
    to->deliver(take(std::move(a)));
  };
  r->here = [this, m, to = r->to] {
    const auto own = worker();
    if (!own) {
      to->fail({errc::unavailable, "the tables' worker is restarting"});
      return;
    }
    self_->request(own, worker_timeout, m)
        .then([to](const Answer& a) { to->deliver(a); }, fail_with(to));
  };
  start_read(r);
  return caf::delegated<Answer>{};
}

void partition_proxy_state::start_read(const remote_read_ptr& r) {
  const auto to = server();
  if (to.value == 0) {
    park(r);
    return;
  }
  r->what.set_at_least(view().floor().value);
  ask(
      to, r->what, read_timeout,
      [this, r](pb::PartitionAnswer answer) {
        if (!view().admit(log_index{answer.read_at()})) {
          park(r);
          return;
        }
        --reads_;
        r->done(std::move(answer));
      },
      [this, r, to](const error& why) {
        left(to);
        if (now() < r->until) {
          park(r);
          return;
        }
        --reads_;
        r->to->fail({errc::unavailable, why.message});
      });
}

// -- changes ------------------------------------------------------------------

void partition_proxy_state::follow() {
  if (following_ || !follower_.wants_part())
    return;
  const auto to = server();
  if (to.value == 0) {
    hurry();
    return;
  }
  following_ = true;
  pb::PartitionRead what;
  auto& feed = *what.mutable_feed();
  const auto after = follower_.after();
  if (after)
    feed.set_after(after->value);
  ask(
      to, what, feed_timeout,
      [this, after](const pb::PartitionAnswer& answer) {
        following_ = false;
        if (take_part(after, answer.feed()))
          follow();
        else
          hurry();
      },
      [this, to](const error&) {
        following_ = false;
        left(to);
        hurry();
      });
}

/// What changed is not known: watchers of a group that ends watch the next one,
/// and compare.
void partition_proxy_state::begin_watches_anew() {
  const auto groups =
      parts_.context.owners.groups_where([&](const key_view& k) {
        return model::config_partition(k.space, k.group,
                                       parts_.handles.partitions())
               == parts_.group;
      });
  for (const auto& group : groups)
    caf::anon_send_exit(group, caf::exit_reason::user_shutdown);
  if (!groups.empty())
    spdlog::info("partition {}: what changed meanwhile is not known, {} groups "
                 "begin anew",
                 parts_.group.value, groups.size());
}

void partition_proxy_state::own_tables_tell(log_index from) {
  if (follower_.shown(from, now()))
    begin_watches_anew();
}

/// False: own tables are shown, nobody knows yet since when.
bool partition_proxy_state::take_part(std::optional<log_index> asked,
                                      const pb::FeedPart& part) {
  const log_index upto{part.upto()};
  // Whoever is woken reads what it was woken for.
  if (!view().admit(upto) && !follower_.is_here())
    return false;
  const auto order = follower_.take(asked, upto, part.gap());
  if (order.anew)
    begin_watches_anew();
  for (const auto& each : part.changes()) {
    auto change = from_wire(each);
    if (change.at > order.upto)
      break;
    route_event(parts_.context,
                {parts_.group, change.at,
                 model::config_changed{nullptr, std::move(change.key),
                                       change.content_changed, change.created,
                                       change.removed}});
  }
  led_by(node_id{part.leader()});
  announce();
  return true;
}

// -- writes -------------------------------------------------------------------

void partition_proxy_state::led_by(node_id who) {
  if (who.value == 0 || who == leader_)
    return;
  leader_ = who;
  desk_.leader_changed();
}

/// The feed says who leads, but only now and then.
void partition_proxy_state::ask_leader() {
  const auto to = server();
  if (to.value == 0)
    return;
  pb::PartitionRead what;
  what.mutable_feed();
  ask(
      to, what, read_timeout,
      [this](const pb::PartitionAnswer& answer) {
        led_by(node_id{answer.feed().leader()});
      },
      [this, to](const error&) { left(to); });
}

caf::result<model::outcome>
partition_proxy_state::propose(const api::propose& m) {
  const auto replica = parts_.handles.replicas[parts_.group.value].load();
  if (replica && view().is_here()) {
    reply{self_}.pass_on(replica, m);
    return caf::delegated<model::outcome>{};
  }
  if (const auto fine = model::check_command(*m.command); !fine)
    return api::to_caf(fine.error());
  return desk_.pass(m.command);
}

caf::result<log_index>
partition_proxy_state::barrier(const api::read_barrier& m) {
  const auto replica = parts_.handles.replicas[parts_.group.value].load();
  if (replica && view().is_here()) {
    reply{self_}.pass_on(replica, m);
    return caf::delegated<log_index>{};
  }
  return desk_.pass_read();
}

// -- who shows the partition --------------------------------------------------

void partition_proxy_state::replica_is_ready() {
  wants_show_ = !follower_.is_here();
  show();
  hurry();
}

/// Asked until it is known: whether and since when the own tables tell.
void partition_proxy_state::show() {
  const auto to = worker();
  if (!wants_show_ || showing_ || !to)
    return;
  showing_ = true;
  self_->request(to, worker_timeout, show_group{parts_.group})
      .then(
          [this](log_index from) {
            showing_ = wants_show_ = false;
            own_tables_tell(from);
            announce();
            follow();
            retry_parked();
          },
          [this](const caf::error&) { showing_ = false; });
}

/// The replica here goes. Asked again until it is done.
caf::result<api::done> partition_proxy_state::stand_in() {
  wants_show_ = false;
  const auto to = worker();
  if (!to)
    return api::to_caf({errc::unavailable, "the tables' worker is restarting"});
  auto owed = share(reply{self_});
  self_->request(to, worker_timeout, hide_group{parts_.group})
      .then(
          [this, owed](log_index upto) {
            owed->deliver(api::done{});
            follower_.hidden(upto);
            follow();
            retry_parked();
            hurry();
          },
          fail_with(owed));
  return caf::delegated<api::done>{};
}

void partition_proxy_state::announce() {
  const bool own_may_come =
      !view().is_here() && parts_.handles.replicas[parts_.group.value].load()
      && now() - began_ < own_replica_wait;
  if (announced_ || own_may_come)
    return;
  announced_ = true;
  caf::anon_send(parts_.starter, partition_usable{parts_.group});
}

/// What the leader did for this node is answered once readers here see it: at
/// another node that is named an index, in own tables when they have it.
bool partition_proxy_state::shows(log_index index) {
  if (view().admit(index) || index <= applied_here_)
    return true;
  if (const auto own = worker())
    self_->request(own, worker_timeout, get_applied{parts_.group})
        .then(
            [this](const raft::log_position& at) {
              if (at.index <= applied_here_)
                return;
              applied_here_ = at.index;
              desk_.answer_late();
            },
            [](const caf::error&) {});
  hurry();
  return false;
}

void partition_proxy_state::park(const remote_read_ptr& r) {
  parked_.push_back(r);
  hurry();
}

/// Nothing waits for another try.
bool partition_proxy_state::is_settled() const {
  return announced_ && !wants_show_ && parked_.empty() && !desk_.is_busy()
         && (following_ || !follower_.wants_part());
}

void partition_proxy_state::arm(milliseconds wait) {
  self_->delayed_send(self_, wait, proxy_tick{++ticks_});
}

void partition_proxy_state::hurry() {
  if (std::exchange(idle_, false))
    arm(tick_every);
}

void partition_proxy_state::retry_parked() {
  for (const auto& r : std::exchange(parked_, {}))
    if (view().is_here()) {
      --reads_;
      r->here();
    } else if (now() < r->until) {
      start_read(r);
    } else {
      --reads_;
      r->to->fail({errc::unavailable,
                   "no node that has the partition can be reached"});
    }
}

void partition_proxy_state::tick(const proxy_tick& m) {
  if (m.number != ticks_)
    return;
  idle_ = false;
  show();
  if (follower_.overdue(now()))
    begin_watches_anew();
  follow();
  retry_parked();
  if (!view().is_here() && desk_.has_parked())
    ask_leader();
  desk_.tick();
  desk_.answer_late();
  idle_ = is_settled();
  arm(idle_ ? idle_tick_every : tick_every);
}

// -- the actor ----------------------------------------------------------------

/// Partition 0 is everywhere.
template <class Answer>
caf::result<Answer> not_of_this_partition() {
  return api::to_caf(
      {errc::internal, "asked of a partition that holds configs only"});
}

proxy_impl::behavior_type
partition_proxy(proxy_impl::stateful_pointer<holder<partition_proxy_state>> self,
                const partition_proxy_parts& parts) {
  auto& s = self->state.it.emplace(self, parts);
  drop_unexpected(self);
  return {
      [&s](const api::load_config& m) {
        pb::PartitionRead what;
        to_wire(m.key, *what.mutable_config());
        return s.read<api::config_loaded>(
            m, std::move(what), [key = m.key](pb::PartitionAnswer a) {
              return api::config_loaded{
                  from_wire(key, std::move(*a.mutable_config()))};
            });
      },
      [&s](const api::list_config_names& m) {
        pb::PartitionRead what;
        what.set_names_in(m.space);
        return s.read<api::config_names>(
            m, std::move(what),
            [](const pb::PartitionAnswer& a) { return from_wire(a.names()); });
      },
      [](const api::load_service&) {
        return not_of_this_partition<api::service_state>();
      },
      [](const api::list_stored_services&) {
        return not_of_this_partition<api::service_names>();
      },
      [](const api::list_namespaces&) {
        return not_of_this_partition<api::namespace_list>();
      },
      [&s](const api::count_configs& m) {
        pb::PartitionRead what;
        what.set_counts(true);
        return s.read<api::config_counts>(
            m, std::move(what),
            [](const pb::PartitionAnswer& a) { return from_wire(a.counts()); });
      },
      [&s](const api::list_history& m) {
        pb::PartitionRead what;
        auto& history = *what.mutable_history();
        to_wire(m.key, *history.mutable_config());
        history.set_before(m.before);
        history.set_limit(m.limit);
        return s.read<api::history_rows>(
            m, std::move(what), [](const pb::PartitionAnswer& a) {
              const auto& rows = a.history().rows();
              return api::history_rows{{rows.begin(), rows.end()}};
            });
      },
      [](const api::load_cluster&) {
        return not_of_this_partition<api::cluster_loaded>();
      },
      [&s](const api::propose& m) { return s.propose(m); },
      [&s](const api::read_barrier& m) { return s.barrier(m); },
      [&s](const replica_ready&) { s.replica_is_ready(); },
      [&s](stand_in) { return s.stand_in(); },
      [&s](const proxy_tick& m) { s.tick(m); },
  };
}

} // namespace

partition_proxy_actor spawn_partition_proxy(caf::actor_system& system,
                                            partition_proxy_parts parts) {
  return system.spawn(partition_proxy, std::move(parts));
}

} // namespace muster::runtime
