#include "actors/core/raft/members.hpp"

#include <algorithm>
#include <vector>

#include "muster/raft.pb.h"

namespace muster::raft {

namespace {

using node_list = std::vector<node_id>;

bool contains(const node_list& nodes, node_id node) {
  return std::ranges::find(nodes, node) != nodes.end();
}

bool majority_of(const node_list& voters,
                 const std::function<bool(node_id)>& says_yes) {
  const auto yes =
      static_cast<std::size_t>(std::ranges::count_if(voters, says_yes));
  return yes > voters.size() / 2;
}

log_index majority_index_of(const node_list& voters,
                            const std::function<log_index(node_id)>& has) {
  if (voters.empty())
    return {};
  std::vector<log_index> all;
  for (const auto v : voters)
    all.push_back(has(v));
  std::ranges::sort(all, std::greater{});
  return all[voters.size() / 2];
}

/// How many are in one of the sets only.
std::size_t different(const node_list& a, const node_list& b) {
  const auto missing_in = [](const node_list& all, const node_list& from) {
    return std::ranges::count_if(from,
                                 [&](node_id n) { return !contains(all, n); });
  };
  return static_cast<std::size_t>(missing_in(a, b) + missing_in(b, a));
}

} // namespace

bool is_voter(const configuration& members, node_id node) {
  return contains(members.voters, node) || contains(members.outgoing, node);
}

std::set<node_id> everybody(const configuration& members) {
  std::set<node_id> all(members.voters.begin(), members.voters.end());
  all.insert(members.outgoing.begin(), members.outgoing.end());
  all.insert(members.learners.begin(), members.learners.end());
  return all;
}

bool majority(const configuration& members,
              const std::function<bool(node_id)>& says_yes) {
  return majority_of(members.voters, says_yes)
         && (members.outgoing.empty()
             || majority_of(members.outgoing, says_yes));
}

log_index majority_index(const configuration& members,
                         const std::function<log_index(node_id)>& has) {
  const auto incoming = majority_index_of(members.voters, has);
  return members.outgoing.empty()
             ? incoming
             : std::min(incoming, majority_index_of(members.outgoing, has));
}

result<configuration> enter_change(const configuration& now,
                                   const configuration& target) {
  if (is_joint(now))
    return fail(errc::failed_precondition,
                "a change of the members is under way");
  if (target.voters.empty())
    return fail(errc::invalid_argument, "a group needs a voter");
  auto next = target;
  next.outgoing.clear();
  for (auto* nodes : {&next.voters, &next.learners}) {
    std::ranges::sort(*nodes);
    if (std::ranges::adjacent_find(*nodes) != nodes->end())
      return fail(errc::invalid_argument, "a node is named twice");
  }
  for (const auto n : next.learners)
    if (contains(next.voters, n))
      return fail(errc::invalid_argument, "a node cannot vote and learn");
  if (different(now.voters, next.voters) > 1)
    next.outgoing = now.voters;
  return next;
}

configuration leave_joint(const configuration& now) {
  auto next = now;
  next.outgoing.clear();
  return next;
}

std::shared_ptr<const std::string> encode(const configuration& members) {
  pb::Configuration out;
  for (const auto n : members.voters)
    out.add_voters(n.value);
  for (const auto n : members.outgoing)
    out.add_outgoing(n.value);
  for (const auto n : members.learners)
    out.add_learners(n.value);
  return std::make_shared<const std::string>(out.SerializeAsString());
}

result<configuration> decode_configuration(std::string_view payload) {
  pb::Configuration in;
  if (!in.ParseFromArray(payload.data(), static_cast<int>(payload.size())))
    return fail(errc::data_loss, "a configuration entry does not parse");
  configuration out;
  for (const auto n : in.voters())
    out.voters.emplace_back(n);
  for (const auto n : in.outgoing())
    out.outgoing.emplace_back(n);
  for (const auto n : in.learners())
    out.learners.emplace_back(n);
  return out;
}

} // namespace muster::raft
