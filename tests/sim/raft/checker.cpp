#include "tests/sim/raft/checker.hpp"

#include <algorithm>
#include <functional>
#include <iterator>

#include "actors/core/raft/members.hpp"

namespace muster::sim {

namespace {

template <class... Parts>
[[noreturn]] void fails(const Parts&... parts) {
  const auto text = [](const auto& part) {
    if constexpr (requires { std::string(part); })
      return std::string(part);
    else if constexpr (requires { part.value; })
      return std::to_string(part.value);
    else
      return std::to_string(part);
  };
  throw violation{(text(parts) + ...)};
}

using node_list = std::vector<node_id>;

/// Counted here once more, since the core's way of counting is under test.
bool most(const node_list& voters, const std::function<bool(node_id)>& yes) {
  std::size_t count = 0;
  for (const auto n : voters)
    count += yes(n) ? 1 : 0;
  return 2 * count > voters.size();
}

bool most_of_both(const raft::configuration& members,
                  const std::function<bool(node_id)>& yes) {
  return most(members.voters, yes)
         && (members.outgoing.empty() || most(members.outgoing, yes));
}

raft::configuration decoded(const raft::entry& e) {
  auto members = raft::decode_configuration(*e.payload);
  if (!members)
    fails("configuration ", e.index, " does not parse");
  return std::move(*members);
}

/// Whether all majorities of two sets meet: at most one node comes or goes.
bool majorities_meet(const node_list& a, const node_list& b) {
  node_list different;
  std::ranges::set_symmetric_difference(a, b, std::back_inserter(different));
  return different.size() <= 1;
}

} // namespace

void checker::starts(node_id node, const raft::stored_group& stored,
                     const raft::configuration& first) {
  auto& view = views_[node];
  view.state = stored.state;
  const auto& base = stored.snapshot.members;
  view.members.clear();
  view.members[stored.snapshot.last.index] =
      base == raft::configuration{} ? first : base;
  for (const auto& e : stored.changes)
    view.members[e.index] = decoded(e);
}

void checker::persists(node_id node, const raft::hard_state& state) {
  auto& known = views_.at(node).state;
  if (state.term < known.term)
    fails("node ", node, " goes back from term ", known.term, " to ",
          state.term);
  if (state.term == known.term && known.vote.value != 0
      && state.vote != known.vote)
    fails("node ", node, " votes for ", known.vote, " and ", state.vote,
          " in term ", state.term);
  known = state;
}

void checker::says(const raft::message& m, const raft::fsm& core,
                   const disk& own) {
  const auto* ask = std::get_if<raft::vote_request>(&m.body);
  const auto* vote = std::get_if<raft::vote_reply>(&m.body);
  const auto voted = ask && !ask->pre                      ? m.from
                     : vote && !vote->pre && vote->granted ? m.to
                                                           : node_id{};
  if (voted.value != 0 && own.state != raft::hard_state{m.term, voted})
    fails("node ", m.from, " speaks of a vote for ", voted, " in term ", m.term,
          " that is not on its disk");
  const auto* taken = std::get_if<raft::append_reply>(&m.body);
  if (!taken || !taken->accepted)
    return;
  if (own.state.term < m.term)
    fails("node ", m.from, " takes entries in term ", m.term,
          " that is not on its disk");
  const auto term = core.term_at(taken->index);
  if (taken->index > core.last().index
      || (term && !own.keeps({*term, taken->index})))
    fails("node ", m.from, " acknowledges ", taken->index,
          " that is not on its disk");
}

void checker::leads(node_id node, const raft::fsm& core, const disks& all) {
  // Who went on to a newer term may have voted before.
  if (!most_of_both(core.members(), [&](node_id n) {
        const auto& state = all.at(n).state;
        return state.term > core.term()
               || state == raft::hard_state{core.term(), node};
      }))
    fails("leader ", node, " of term ", core.term(),
          " lacks a majority of votes on disk");
  const auto [first, fresh] = leaders_.try_emplace(core.term(), node);
  if (!fresh && first->second != node)
    fails("two leaders of term ", core.term(), ": ", first->second, ", ", node);
  if (!fresh || committed_.value == 0 || committed_term_ > core.term())
    return;
  if (core.last().index < committed_)
    fails("leader ", node, " of term ", core.term(), " lacks committed entry ",
          committed_);
  const auto term = core.term_at(committed_);
  if (term && *term != committed_term_)
    fails("leader ", node, " has another entry at ", committed_);
}

void checker::appends(node_id node, const raft::fsm& core,
                      const std::vector<raft::entry>& entries) {
  auto& members = views_.at(node).members;
  if (!entries.empty())
    members.erase(
        members.upper_bound(log_index{entries.front().index.value - 1}),
        members.end());
  for (const auto& e : entries) {
    if (e.kind == raft::entry_kind::configuration) {
      auto next = decoded(e);
      if (core.current_role() == raft::role::leader)
        check_change(node, core, next);
      members[e.index] = std::move(next);
    }
    const auto before = core.term_at(log_index{e.index.value - 1});
    if (!before)
      continue;
    const known_entry now{*before, std::hash<std::string_view>{}(*e.payload),
                          e.kind};
    const auto [first, fresh] = entries_.try_emplace({e.term, e.index}, now);
    const auto& then = first->second;
    if (!fresh
        && (then.before != now.before || then.payload != now.payload
            || then.kind != now.kind))
      fails("node ", node, " has another entry ", e.index, " of term ", e.term);
  }
  check_members(node, core);
}

void checker::check_change(node_id node, const raft::fsm& core,
                           const raft::configuration& next) const {
  const auto& [since, now] = *views_.at(node).members.rbegin();
  if (since > core.commit())
    fails("leader ", node, " changes the members while that of ", since,
          " is not committed");
  if (core.term_at(core.commit()) != core.term())
    fails("leader ", node, " changes the members before it committed in term ",
          core.term());
  const auto good = now.outgoing.empty()
                        ? next.outgoing == now.voters
                              || (next.outgoing.empty()
                                  && majorities_meet(now.voters, next.voters))
                        : next.outgoing.empty() && next.voters == now.voters
                              && next.learners == now.learners;
  if (!good)
    fails("leader ", node, " changes the members in a way that is not safe");
}

void checker::check_members(node_id node, const raft::fsm& core) const {
  const auto& [since, members] = *views_.at(node).members.rbegin();
  if (core.members() != members)
    fails("node ", node, " does not count by the configuration of ", since);
}

void checker::commits(node_id node, const raft::fsm& core, const disks& all) {
  const auto upto = core.commit();
  const auto term = core.term_at(upto);
  if (!term)
    return;
  if (core.current_role() == raft::role::leader) {
    if (!most_of_both(core.members(), [&](node_id n) {
          return all.at(n).vouches({*term, upto});
        }))
      fails("leader ", node, " commits ", upto, " without a majority of disks");
    if (*term != core.term())
      fails("leader ", node, " of term ", core.term(), " commits ", upto,
            " of term ", *term, " by counting");
  }
  if (upto > committed_) {
    committed_ = upto;
    committed_term_ = *term;
  }
}

void checker::dismisses(node_id node, const raft::fsm& leader,
                        const raft::log_position& at) const {
  const auto known = entries_.contains(at);
  if (at.index > committed_ || at.term > committed_term_ || !known)
    fails("node ", node, " is dismissed at ", at.index, " of term ", at.term,
          " that is not committed");
  for (const auto* m : {&leader.members(), &leader.members_at(at.index)})
    for (const auto* part : {&m->voters, &m->outgoing, &m->learners})
      if (std::ranges::find(*part, node) != part->end())
        fails("member ", node, " is dismissed");
}

void checker::describes(node_id node, const raft::snapshot_meta& meta) const {
  const auto& [position, members] = meta;
  const auto applied = applied_.find(position.index);
  if (applied == applied_.end() || applied->second.term != position.term)
    fails("node ", node, " describes ", position.index,
          " as what nobody applied");
  const auto after = in_force_.upper_bound(position.index);
  if (after != in_force_.begin()) {
    if (members != std::prev(after)->second)
      fails("node ", node, " does not know who was in force at ",
            position.index);
    return;
  }
  // Who came later was not told how the group began.
  if (members != first_ && members != raft::configuration{})
    fails("node ", node, " does not know how the group began");
}

void checker::installs(node_id node, const raft::fsm& core,
                       const raft::snapshot_meta& meta, bool tail_stays) {
  auto& members = views_.at(node).members;
  members.erase(members.begin(), members.upper_bound(meta.last.index));
  if (!tail_stays)
    members.clear();
  members[meta.last.index] = meta.members;
  check_members(node, core);
}

void checker::applies(node_id node, const raft::entry& e,
                      const machine& after) {
  if (e.kind == raft::entry_kind::configuration)
    in_force_.try_emplace(e.index, decoded(e));
  const auto [first, fresh] =
      applied_.try_emplace(e.index, applied_entry{e.term, after.hash});
  if (!fresh && first->second.term != e.term)
    fails("node ", node, " applies another entry ", e.index, " of term ",
          e.term, " instead of ", first->second.term);
  if (!fresh && first->second.hash != after.hash)
    fails("node ", node, " has another state after ", e.index);
}

void checker::acknowledged(std::uint64_t id) {
  acknowledged_.insert(id);
}

void checker::refused(std::uint64_t id) {
  refused_.insert(id);
}

void checker::reads(log_index floor, log_index index) const {
  if (index < floor)
    fails("a read sees ", index, " where ", floor, " was committed before");
}

void checker::ends(const machine& last) const {
  auto sorted = last.done;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted);
      twice != sorted.end())
    fails("command ", *twice, " is there twice");
  for (const auto id : acknowledged_)
    if (!std::ranges::binary_search(sorted, id))
      fails("acknowledged command ", id, " is lost");
  for (const auto id : refused_)
    if (std::ranges::binary_search(sorted, id))
      fails("refused command ", id, " happened");
}

} // namespace muster::sim
