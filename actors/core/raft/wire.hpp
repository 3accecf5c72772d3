#pragma once

#include <utility>

#include "actors/core/base/ids.hpp"
#include "actors/core/base/result.hpp"
#include "actors/core/raft/message.hpp"

namespace muster::pb {
class RaftMessage;
} // namespace muster::pb

/// Messages as they travel between nodes (proto/muster/peer.proto). Pure.
namespace muster::raft {

void to_wire(partition_id group, const message& m, pb::RaftMessage& out);

/// `invalid_argument` for a message without a body that this version knows, or
/// with an entry kind it does not: a member must not take what it cannot read.
result<std::pair<partition_id, message>> from_wire(pb::RaftMessage&& in);

} // namespace muster::raft
