#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "actors/core/base/clock.hpp"
#include "actors/core/base/result.hpp"
#include "actors/core/raft/message.hpp"
#include "actors/core/raft/ports.hpp"
#include "actors/core/raft/types.hpp"

/// The Raft algorithm of one group as a machine in memory.
namespace muster::raft {

/// A read that may be served once `index` is applied (thesis 6.4, step 4).
struct read_ready {
  std::uint64_t context;
  log_index index;
};

/// All effects of the inputs since the last `take_output`. The shell keeps this
/// order: make `state` and `entries` durable; then call `written(write)` and
/// send `messages`; apply what `commit` covers; answer `reads` when applied.
struct output {
  /// Number of the write to report to `written`; 0 = nothing to write.
  std::uint64_t write = 0;
  std::optional<hard_state> state;
  std::vector<entry> entries;
  std::vector<message> messages;
  /// Commit index, if it moved. Never moves back (paper 5.3).
  std::optional<log_index> commit;
  /// Entries newly committed and still in memory, ending at `commit`. What lies
  /// between the applied index and the first of these is in the log store.
  std::vector<entry> committed;
  std::vector<read_ready> reads;
  /// Role or leader changed: the new role.
  std::optional<role> became;

  bool empty() const noexcept {
    return write == 0 && messages.empty() && !commit && reads.empty() && !became;
  }
};

/// One member of one group.
///
/// Inputs are member functions, effects come out of `take_output`; no I/O, no
/// clock, no thread: the owner (an actor, a simulation) calls it from one
/// thread. It lives as long as the member runs; after a crash a new one is made
/// from what the log store has.
///
/// Today it runs a group whose only voter is this node: elections, log, commit
/// rule and read index are those of the paper with a majority of one. A
/// configuration with other members is refused by `check`.
class fsm {
public:
  struct settings {
    node_id self;
    configuration members;
    /// Proposals accepted and not yet committed, at most; above that `propose`
    /// answers `resource_exhausted`.
    std::size_t uncommitted_max = 16384;
  };

  /// `invalid_argument` if this core cannot run that configuration.
  static result<void> check(const settings& s);

  /// Precondition: `check(s)` holds. `stored` is what the log store found.
  fsm(settings s, const stored_group& stored);

  /// Starts an election when it is due. A sole voter need not wait for anybody:
  /// it is due at the first tick.
  void tick(steady_time now);

  /// Appends a command to the leader's log. `unavailable` if not the leader;
  /// `resource_exhausted` above `uncommitted_max`. In both cases nothing was
  /// done. The position is where it stands if it gets committed.
  result<log_position> propose(std::shared_ptr<const std::string> payload);

  /// Asks at which index a read is linearizable. The answer comes as
  /// `output::reads` with this `context`. `unavailable` if not the leader.
  result<void> read_index(std::uint64_t context);

  /// The write `number` of an earlier output is durable, and all before it.
  void written(std::uint64_t number);

  output take_output();

  role current_role() const noexcept { return role_; }
  term_id term() const noexcept { return state_.term; }
  log_index commit() const noexcept { return commit_; }
  log_index last() const noexcept { return last_.index; }
  const configuration& members() const noexcept { return settings_.members; }

private:
  struct write_mark {
    std::uint64_t number;
    log_position last;
    term_id term;
  };

  void campaign();
  void become_leader();
  log_position append(entry_kind kind,
                      std::shared_ptr<const std::string> payload);
  void advance_commit();
  void answer_reads();
  bool commit_in_own_term() const noexcept;

  settings settings_;
  hard_state state_;
  role role_ = role::follower;
  /// Newest entry appended (durable or not).
  log_position last_;
  /// Newest entry known to be on this node's disk; durable_ <= last_.
  log_index durable_;
  /// commit_ <= durable_ while the only voter is this node.
  log_index commit_;
  /// First entry of the leader's own term; commits count from there (5.4.2).
  log_index term_start_;
  /// Entries in (commit_, last_], in order.
  std::vector<entry> uncommitted_;
  std::vector<std::uint64_t> reads_waiting_;
  /// Writes handed out and not yet reported durable, in order.
  std::vector<write_mark> writes_;
  std::uint64_t write_number_ = 0;
  output out_;
};

} // namespace muster::raft
