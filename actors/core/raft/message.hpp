#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "actors/core/raft/types.hpp"

/// What members of a group say to each other. Every message carries sender,
/// receiver and the sender's term (paper 5.1); a pre-vote request and its grant
/// carry the term the candidate would like to have.
namespace muster::raft {

struct vote_request {
  log_position last;
  /// A pre-vote asks without raising terms (thesis 9.6).
  bool pre = false;
  /// The leader itself asked for this election (thesis 3.10), so that it is not
  /// put off because there is a leader.
  bool forced = false;
};

struct vote_reply {
  bool granted = false;
  bool pre = false;
};

struct append_request {
  log_position previous;
  std::vector<entry> entries;
  log_index commit;
};

struct append_reply {
  bool accepted = false;
  /// Accepted: the log is durable and equal to the leader's up to here.
  /// Refused: the `previous.index` that did not fit.
  log_index index;
  /// Refused: the newest position of this log that may still fit.
  log_position hint;
};

/// Keeps leadership, tells of commits, and asks whether it is still leadership
/// (thesis 6.4).
struct heartbeat {
  /// Not beyond what the receiver is known to have.
  log_index commit;
  std::uint64_t read_round = 0;
};

struct heartbeat_reply {
  std::uint64_t read_round = 0;
};

/// Start an election at once (thesis 3.10).
struct timeout_now {};

struct message {
  node_id from;
  node_id to;
  term_id term;
  std::variant<vote_request, vote_reply, append_request, append_reply,
               heartbeat, heartbeat_reply, timeout_now>
      body;
};

} // namespace muster::raft
