#include "actors/runtime/placement.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/core/cluster/record.hpp"
#include "actors/core/raft/members.hpp"
#include "actors/runtime/accept.hpp"
#include "muster/command.pb.h"

namespace muster::runtime {

namespace {

/// To oneself: see how things are, if this node leads partition 0.
struct look_around {};

} // namespace

} // namespace muster::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::runtime::look_around)

namespace muster::runtime {

namespace {

using placement_impl = placement_actor::extend<caf::reacts_to<look_around>>;

constexpr milliseconds replica_timeout{2'000};
constexpr milliseconds propose_timeout{10'000};
constexpr unsigned hurried_max = 100;

using record_ptr = std::shared_ptr<const pb::MembershipRecord>;

/// What the nodes that answered say.
struct reported {
  /// Of all groups, by number; the leader is 0 where none answered.
  std::vector<cluster::placed_group> groups;
  std::map<node_id, std::set<partition_id>> holds;
  std::map<node_id, std::set<partition_id>> bound;
};

bool is_alive(const api::member& m) {
  using state = api::member_state;
  return m.state == state::up || m.state == state::draining
         || (m.state == state::starting && m.boot != 0);
}

class placement_state {
public:
  static inline const char* name = "placement";

  explicit placement_state(placement_impl::pointer self) : self_(self) {}

  void start(placement_parts parts) {
    parts_.emplace(std::move(parts));
    look_later();
  }

  void look();
  caf::result<std::string> serve(const placement_here& m);
  caf::result<api::member_survey> survey(const api::survey_members& m);
  caf::result<model::outcome> change(const api::change_member& m);

private:
  /// What is being asked; ends when nobody owes an answer.
  struct question {
    std::size_t open = 1;
    std::map<partition_id, std::uint64_t> terms;
    reported found;
    std::function<void(const reported&)> done;
  };
  using question_ptr = std::shared_ptr<question>;

  /// Sooner if something was ordered: until a node that is no member any more
  /// has heard of it, its clients' writes wait. What is refused again and again
  /// has time.
  void look_later(bool ordered = false) {
    hurried_ = ordered ? hurried_ + 1 : 0;
    const auto every = parts_->settings.look_every;
    self_->delayed_send(self_,
                        ordered && hurried_ < hurried_max ? every / 5 : every,
                        look_around{});
  }
  member_actor replica(partition_id group) const {
    const auto& all = parts_->handles.replicas;
    return group.value < all.size() ? all[group.value].load() : member_actor{};
  }
  void confirm_lead();
  void load_record(std::function<void(record_ptr)> done,
                   const std::function<void(const error&)>& failed);
  void report(std::function<void(const pb::PlacementReport&)> done);
  void ask_all(std::function<void(const reported&)> done);
  void ask(node_id who, const question_ptr& q);
  static void take(node_id from, const pb::PlacementReport& report,
                   question& q);
  static void close(const question_ptr& q);
  std::vector<cluster::placed_node>
  nodes_of(const pb::MembershipRecord& record) const;
  bool go_on(const record_ptr& record, const reported& now);
  void obey(const pb::GroupOrder& what, const owed_reply& to);
  void dismissed(partition_id group, const raft::log_position& dismissal,
                 const owed_reply& to);
  void part_with(node_id who, const member_actor& leader, partition_id group,
                 const owed_reply& to);
  void order(node_id leader, const pb::GroupOrder& what);
  void forget(node_id who);
  result<void> may_go(const pb::MembershipRecord& record, node_id who) const;
  void propose(const pb::Command& command, const owed_reply& to);

  placement_impl::pointer self_;
  std::optional<placement_parts> parts_;
  /// Looks in a row that ordered something.
  unsigned hurried_ = 0;
};

// -- what this node knows -----------------------------------------------------

/// Groups that this node leads.
void placement_state::report(
    std::function<void(const pb::PlacementReport&)> done) {
  struct gathered {
    std::size_t open = 1;
    pb::PlacementReport report;
    std::function<void(const pb::PlacementReport&)> done;
  };
  auto g = std::make_shared<gathered>();
  g->done = std::move(done);
  const auto close = [g] {
    if (--g->open == 0)
      g->done(g->report);
  };
  const auto& replicas = parts_->handles.replicas;
  for (std::size_t p = 0; p < replicas.size(); ++p) {
    const auto member = replicas[p].load();
    if (parts_->handles.bound[p].load())
      g->report.add_bound(p);
    if (!member)
      continue;
    g->report.add_holds(p);
    ++g->open;
    self_->request(member, replica_timeout, get_group{})
        .then(
            [g, close](const group_status& s) {
              if (s.led) {
                auto& out = *g->report.add_leads();
                out.set_group(s.led->group.value);
                out.set_term(s.term.value);
                out.set_members(*raft::encode(s.led->members));
                out.set_settled(s.led->settled);
                for (const auto n : s.led->caught_up)
                  out.add_caught_up(n.value);
              }
              close();
            },
            [close](const caf::error&) { close(); });
  }
  close();
}

caf::result<std::string> placement_state::serve(const placement_here& m) {
  pb::PlacementCall call;
  if (!call.ParseFromString(m.call))
    return api::to_caf({errc::invalid_argument, "the call does not parse"});
  auto to = share(reply{self_});
  if (!call.has_order()) {
    report([to](const pb::PlacementReport& r) {
      to->deliver(r.SerializeAsString());
    });
    return caf::delegated<std::string>{};
  }
  obey(call.order(), to);
  return caf::delegated<std::string>{};
}

void placement_state::obey(const pb::GroupOrder& what, const owed_reply& to) {
  const partition_id group{what.group()};
  const auto member = replica(group);
  const auto done = [to](const api::done&) { to->deliver(std::string{}); };
  const auto failed = [to](const caf::error& e) { to->fail(api::from_caf(e)); };
  const auto from = raft::decode_configuration(what.from());
  const auto target = raft::decode_configuration(what.to());
  if (what.has_dismissal())
    dismissed(group,
              {term_id{what.dismissal().term()},
               log_index{what.dismissal().index()}},
              to);
  else if (!member)
    to->fail({errc::unavailable, "the partition is not here now"});
  else if (what.dismiss() != 0)
    part_with(node_id{what.dismiss()}, member, group, to);
  else if (!from || !target)
    to->fail({errc::invalid_argument, "the order does not parse"});
  else if (what.transfer_to() != 0)
    self_
        ->request(member, replica_timeout,
                  hand_over{node_id{what.transfer_to()}})
        .then(done, failed);
  else
    self_->request(member, replica_timeout, change_group{*from, *target})
        .then(done, failed);
}

/// The leader knows what allows the node to forget; the node, whether it may.
void placement_state::part_with(node_id who, const member_actor& leader,
                                partition_id group, const owed_reply& to) {
  self_->request(leader, replica_timeout, dismiss{who})
      .then(
          [this, who, group, to](const raft::log_position& at) {
            pb::GroupOrder out;
            out.set_group(group.value);
            out.mutable_dismissal()->set_term(at.term.value);
            out.mutable_dismissal()->set_index(at.index.value);
            order(who, out);
            to->deliver(std::string{});
          },
          fail_with(to));
}

void placement_state::dismissed(partition_id group,
                                const raft::log_position& dismissal,
                                const owed_reply& to) {
  const auto supervisor = parts_->handles.supervisor.load();
  if (!supervisor) {
    to->fail({errc::unavailable, "the node stops"});
    return;
  }
  caf::anon_send(supervisor, give_up_group{group, dismissal});
  to->deliver(std::string{});
}

// -- what all nodes know ------------------------------------------------------

void placement_state::ask_all(std::function<void(const reported&)> done) {
  auto q = std::make_shared<question>();
  q->done = std::move(done);
  for (std::uint64_t p = 0; p <= parts_->partitions; ++p)
    q->found.groups.push_back({partition_id{p}, {}, {}, false, {}});
  for (const auto& m : parts_->context.members.load()->all)
    if (m.id == parts_->self || is_alive(m))
      ask(m.id, q);
  close(q);
}

void placement_state::ask(node_id who, const question_ptr& q) {
  if (who != parts_->self && !parts_->handles.gate.load())
    return;
  ++q->open;
  if (who == parts_->self) {
    report([who, q](const pb::PlacementReport& r) {
      take(who, r, *q);
      close(q);
    });
    return;
  }
  self_
      ->request(parts_->handles.gate.load(), replica_timeout,
                placement_at{who, pb::PlacementCall{}.SerializeAsString()})
      .then(
          [who, q](const std::string& bytes) {
            if (pb::PlacementReport r; r.ParseFromString(bytes))
              take(who, r, *q);
            close(q);
          },
          [q](const caf::error&) { close(q); });
}

/// Of two that say they lead, the one of the later term does.
void placement_state::take(node_id from, const pb::PlacementReport& report,
                           question& q) {
  for (const auto group : report.holds())
    q.found.holds[from].emplace(group);
  for (const auto group : report.bound())
    q.found.bound[from].emplace(group);
  auto& groups = q.found.groups;
  for (const auto& each : report.leads()) {
    auto members = raft::decode_configuration(each.members());
    const partition_id group{each.group()};
    auto& term = q.terms[group];
    if (!members || group.value >= groups.size() || each.term() <= term)
      continue;
    term = each.term();
    auto& out = groups[group.value];
    out = {group, from, std::move(*members), each.settled(), {}};
    for (const auto n : each.caught_up())
      out.caught_up.emplace(n);
  }
}

void placement_state::close(const question_ptr& q) {
  if (--q->open == 0)
    q->done(q->found);
}

/// As of now: what any node acknowledged is in it.
void placement_state::load_record(
    std::function<void(record_ptr)> done,
    const std::function<void(const error&)>& failed) {
  const auto member = replica(meta_partition);
  const auto tables = parts_->context.tables(meta_partition);
  const auto gave_up = [failed](const caf::error& e) {
    failed(api::from_caf(e));
  };
  if (!member || !tables) {
    failed({errc::unavailable, "partition 0 is being started"});
    return;
  }
  self_->request(member, propose_timeout, api::read_barrier{})
      .then(
          [this, tables, done = std::move(done), failed, gave_up](log_index) {
            self_->request(tables, replica_timeout, api::load_cluster{})
                .then(
                    [done, failed](const api::cluster_loaded& m) {
                      if (m.record)
                        done(std::make_shared<const pb::MembershipRecord>(
                            *m.record));
                      else
                        failed({errc::unavailable, "nobody has entered yet"});
                    },
                    gave_up);
          },
          gave_up);
}

// -- steps --------------------------------------------------------------------

void placement_state::look() {
  const auto member = replica(meta_partition);
  if (!member) {
    look_later();
    return;
  }
  self_->request(member, replica_timeout, get_group{})
      .then(
          [this](const group_status& s) {
            if (s.led)
              confirm_lead();
            else
              look_later();
          },
          [this](const caf::error&) { look_later(); });
}

void placement_state::confirm_lead() {
  load_record(
      [this](const record_ptr& record) {
        ask_all([this, record](const reported& now) {
          look_later(go_on(record, now));
        });
      },
      [this](const error&) { look_later(); });
}

std::vector<cluster::placed_node>
placement_state::nodes_of(const pb::MembershipRecord& record) const {
  using wish = cluster::placed_node::wish;
  const auto seen = parts_->context.members.load();
  const auto patience = parts_->settings.replace_after;
  std::vector<cluster::placed_node> out;
  for (const auto& each : record.members()) {
    const node_id id{each.node()};
    const auto* m = seen->find(id);
    auto& n = out.emplace_back();
    n.id = id;
    n.wants = each.state() == pb::MemberRecord::ACTIVE     ? wish::stay
              : each.state() == pb::MemberRecord::DRAINING ? wish::drain
                                                           : wish::leave;
    n.alive = id == parts_->self || (m && is_alive(*m));
    n.lost = m && m->state == api::member_state::down && patience.count() > 0
             && parts_->context.time.wall() - m->changed >= patience;
  }
  return out;
}

/// True if something was ordered.
bool placement_state::go_on(const record_ptr& record, const reported& now) {
  auto nodes = nodes_of(*record);
  const auto of = [](const auto& all, node_id node) {
    const auto found = all.find(node);
    return found != all.end() ? found->second : std::set<partition_id>{};
  };
  for (auto& each : nodes) {
    each.holds = of(now.holds, each.id);
    each.bound = of(now.bound, each.id);
  }
  const auto steps =
      cluster::rebalance(nodes, now.groups, parts_->settings.rules);
  for (const auto& each : steps.changes) {
    pb::GroupOrder out;
    out.set_group(each.group.value);
    out.set_from(*raft::encode(each.from));
    out.set_to(*raft::encode(each.to));
    order(each.leader, out);
  }
  for (const auto& each : steps.moves) {
    pb::GroupOrder out;
    out.set_group(each.group.value);
    out.set_transfer_to(each.to.value);
    order(each.from, out);
  }
  for (const auto& each : steps.dismissals) {
    pb::GroupOrder out;
    out.set_group(each.group.value);
    out.set_dismiss(each.node.value);
    order(each.leader, out);
  }
  for (const auto each : steps.gone)
    forget(each);
  return !steps.changes.empty() || !steps.moves.empty()
         || !steps.dismissals.empty() || !steps.gone.empty();
}

/// What is lost or refused is decided anew a moment later.
void placement_state::order(node_id leader, const pb::GroupOrder& what) {
  pb::PlacementCall call;
  *call.mutable_order() = what;
  auto bytes = call.SerializeAsString();
  const auto done = [](const std::string&) {};
  const auto failed = [group = what.group()](const caf::error& e) {
    spdlog::info("partition {} is not changed now: {}", group,
                 api::from_caf(e).message);
  };
  if (leader == parts_->self)
    self_
        ->request(caf::actor_cast<placement_actor>(self_), replica_timeout,
                  placement_here{std::move(bytes)})
        .then(done, failed);
  else if (const auto gate = parts_->handles.gate.load())
    self_
        ->request(gate, replica_timeout, placement_at{leader, std::move(bytes)})
        .then(done, failed);
}

void placement_state::forget(node_id who) {
  const auto member = replica(meta_partition);
  if (!member)
    return;
  auto command = std::make_shared<pb::Command>();
  command->mutable_member_change()->set_node(who.value);
  command->mutable_member_change()->set_kind(pb::MemberChange::FORGET);
  self_->request(member, propose_timeout, api::propose{{}, std::move(command)})
      .then(
          [who](const model::outcome& o) {
            if (o.code == errc::ok)
              spdlog::info("node {} has left the cluster", who.value);
          },
          [](const caf::error&) {});
}

// -- what operators ask -------------------------------------------------------

/// Of those that stay, a majority must live, or groups could not get on.
result<void> placement_state::may_go(const pb::MembershipRecord& record,
                                     node_id who) const {
  std::size_t others = 0;
  std::size_t living = 0;
  for (const auto& n : nodes_of(record)) {
    if (n.id == who || n.wants != cluster::placed_node::wish::stay)
      continue;
    ++others;
    living += n.alive ? 1 : 0;
  }
  if (living > others / 2)
    return {};
  return fail(errc::failed_precondition, "of the " + std::to_string(others)
                                             + " members that would stay, only "
                                             + std::to_string(living)
                                             + " can be reached: no majority");
}

void placement_state::propose(const pb::Command& command,
                              const owed_reply& to) {
  const auto member = replica(meta_partition);
  if (!member) {
    to->fail({errc::unavailable, "partition 0 is being started"});
    return;
  }
  self_
      ->request(member, propose_timeout,
                api::propose{{}, std::make_shared<const pb::Command>(command)})
      .then([to](const model::outcome& o) { to->deliver(o); },
            [to](const caf::error& e) { to->fail(api::from_caf(e)); });
}

caf::result<model::outcome>
placement_state::change(const api::change_member& m) {
  using what = api::change_member::what;
  auto to = share(reply{self_});
  pb::Command command;
  if (m.kind == what::add) {
    auto& member = *command.mutable_member_add()->mutable_member();
    member.set_node(m.who.id.value);
    *member.mutable_address() = cluster::address_of(m.who);
  } else {
    auto& change = *command.mutable_member_change();
    change.set_node(m.who.id.value);
    change.set_kind(m.kind == what::drain ? pb::MemberChange::DRAIN
                                          : pb::MemberChange::REMOVE);
  }
  load_record(
      [this, to, command, who = m.who.id,
       adds = m.kind == what::add](const record_ptr& record) {
        if (!adds && cluster::find(*record, who))
          if (const auto fine = may_go(*record, who); !fine) {
            to->fail(fine.error());
            return;
          }
        propose(command, to);
      },
      [to](const error& e) { to->fail(e); });
  return caf::delegated<model::outcome>{};
}

caf::result<api::member_survey>
placement_state::survey(const api::survey_members&) {
  auto to = share(reply{self_});
  const auto show = [this, to](const record_ptr& record, const reported& now) {
    const auto& groups = now.groups;
    api::member_survey out;
    out.groups = groups.size();
    const auto seen = parts_->context.members.load();
    for (const auto& each : record->members()) {
      auto& row = out.rows.emplace_back();
      row.record = each;
      const node_id id{each.node()};
      if (const auto* m = seen->find(id))
        row.state = m->state;
      const auto held = now.holds.find(id);
      row.held = held != now.holds.end() ? held->second.size() : 0;
      for (const auto& g : groups) {
        row.votes += raft::is_voter(g.members, id) ? 1 : 0;
        row.leads += g.leader == id ? 1 : 0;
      }
    }
    for (const auto& g : groups)
      out.groups_known += g.leader.value != 0 ? 1 : 0;
    to->deliver(std::move(out));
  };
  load_record(
      [this, show](const record_ptr& record) {
        ask_all(
            [show, record](const reported& now) { show(record, now); });
      },
      [to](const error& e) { to->fail(e); });
  return caf::delegated<api::member_survey>{};
}

using pointer = placement_impl::stateful_pointer<placement_state>;

placement_impl::behavior_type placement(pointer self,
                                        const placement_parts& parts) {
  auto& s = self->state;
  s.start(parts);
  return {
      [&s](look_around) { s.look(); },
      [&s](const placement_here& m) { return s.serve(m); },
      [&s](const api::survey_members& m) { return s.survey(m); },
      [&s](const api::change_member& m) { return s.change(m); },
  };
}

} // namespace

placement_actor spawn_placement(caf::actor_system& system,
                                placement_parts parts) {
  return system.spawn(placement, std::move(parts));
}

} // namespace muster::runtime
