#include "tests/sim/raft/checker.hpp"

#include <algorithm>
#include <functional>

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

} // namespace

void checker::leads(node_id node, const raft::fsm& core) {
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
  for (const auto& e : entries) {
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
}

void checker::commits(node_id node, const raft::fsm& core, const disks& all) {
  const auto upto = core.commit();
  const auto term = core.term_at(upto);
  if (!term)
    return;
  if (core.current_role() == raft::role::leader
      && !raft::majority(core.members(), [&](node_id n) {
           return all.at(n).keeps({*term, upto});
         }))
    fails("leader ", node, " commits ", upto, " without a majority of disks");
  if (upto > committed_) {
    committed_ = upto;
    committed_term_ = *term;
  }
}

void checker::applies(node_id node, const raft::entry& e,
                      const machine& after) {
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
