#pragma once

#include <cstdint>
#include <map>

#include "actors/api/actors.hpp"
#include "actors/core/base/clock.hpp"
#include "actors/core/base/ids.hpp"
#include "actors/core/model/apply.hpp"
#include "actors/runtime/reply.hpp"
#include "muster/peer.pb.h"

/// Writes and reads that other nodes do for this one. They travel in the
/// traffic with everything else: a message of its own for each cost more than
/// the write.
namespace muster::runtime {

/// Who waits for which answer. Owned by the gate; not thread-safe. A write
/// without an answer is `unknown`, a read `unavailable`.
class peer_calls {
public:
  /// `first`: a number that no gate before this one has come near, so that an
  /// answer to one of its calls is not taken for one of ours.
  explicit peer_calls(std::uint64_t first) : next_(first) {}

  /// What is asked, which says what is answered: an outcome, an index, or a
  /// serialized pb::PartitionAnswer.
  enum class kind : std::uint8_t { write, barrier, read };

  /// A call for that node; the caller fills in what it is about.
  pb::PeerCall& begin(node_id to, kind what, reply owed, steady_time until,
                      pb::RaftTraffic& due);
  /// Others are ignored: their time was over, or it was another node's turn.
  void answered(node_id by, const pb::PeerAnswer& answer);
  /// This traffic did not go out: nothing of it has happened.
  void not_sent(const pb::RaftTraffic& traffic);
  /// There will be no answers from there any more.
  void lost(node_id to);
  void expire(steady_time now);

private:
  struct call {
    node_id to;
    kind what;
    reply owed;
    steady_time until;
  };

  static void give_up(call& c, const char* why);

  std::uint64_t next_;
  /// By id, and so by time.
  std::map<std::uint64_t, call> calls_;
};

/// As they cross.
void to_wire(const model::outcome& in, pb::Outcome& out);
model::outcome from_wire(pb::Outcome in);

} // namespace muster::runtime
