#pragma once

#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "actors/core/cluster/members.hpp"
#include "actors/core/raft/types.hpp"
#include "muster/record.pb.h"

/// What partition 0's record of the members means to one node. Pure.
namespace muster::cluster {

/// Null if it is no member. Lives as long as the record.
const pb::MemberRecord* find(const pb::MembershipRecord& record, node_id node);

pb::MemberAddress address_of(const member& m);

/// The members as the record names them. What `configured` says about one of
/// them (how it is reached, where it stands) wins over the record.
std::vector<member> members_in(const pb::MembershipRecord& record,
                               const std::vector<member>& configured);

/// Whether a node with that data directory is one of the record's members.
bool is_member(const pb::MembershipRecord& record, node_id node,
               std::string_view incarnation);

/// With which members a node begins its groups: those it founds the cluster
/// with, or none, if it joins one that is there and learns from its leaders. A
/// node whose data directory is empty must find that out first: it founds only
/// if a majority of those it was configured with say that there is no cluster
/// yet, and nobody else answers; so that one that lost its disk founds none
/// beside the old one.
///
/// Owned by the membership actor; not thread-safe.
class beginning {
public:
  /// `configured` with the node itself.
  beginning(node_id self, std::vector<node_id> configured);

  /// That node knows of no cluster.
  void heard_of_none(node_id from);
  /// That node does not answer now.
  void missed(node_id other);
  /// Precondition: the node is a member.
  void learned(const pb::MembershipRecord& record);
  /// There is a cluster, and this node is none of its members (yet).
  void kept_out() { kept_out_ = true; }

  /// None: not known yet.
  const std::optional<raft::configuration>& members() const noexcept {
    return members_;
  }

private:
  void found_if_alone();

  node_id self_;
  std::vector<node_id> configured_;
  std::set<node_id> without_;
  std::set<node_id> missed_;
  bool kept_out_ = false;
  std::optional<raft::configuration> members_;
};

} // namespace muster::cluster
