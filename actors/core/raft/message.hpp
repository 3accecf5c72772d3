#pragma once

#include <variant>
#include <vector>

#include "actors/core/raft/types.hpp"

/// What members of a group say to each other. Every message carries sender,
/// receiver and the sender's term (paper 5.1).
namespace muster::raft {

struct vote_request {
  log_position last;
  /// A pre-vote asks without raising terms (thesis 9.6).
  bool pre = false;
};

struct vote_reply {
  bool granted = false;
  bool pre = false;
};

struct append_request {
  log_position previous;
  std::vector<entry> entries;
  log_index commit;
  /// Number of the ReadIndex round this doubles as a heart-beat for.
  std::uint64_t read_round = 0;
};

struct append_reply {
  bool accepted = false;
  /// Accepted: the last index known to match. Refused: where to try next.
  log_index index;
  std::uint64_t read_round = 0;
};

struct message {
  node_id from;
  node_id to;
  term_id term;
  std::variant<vote_request, vote_reply, append_request, append_reply> body;
};

} // namespace muster::raft
