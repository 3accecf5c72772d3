#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "actors/runtime/supervisor.hpp"
#include "storage/memory/memory_store.hpp"
#include "tests/sim/raft/random.hpp"
#include "tests/unit/runtime/naming_harness.hpp"

/// One partition on some nodes, by seed: the real proxies, partition servers and
/// state workers on CAF's test scheduler, in virtual time. Who runs next is
/// drawn; the log, the network, replicas and clients are simulated.
namespace muster::test {

/// How bad a run is, beside replicas that come and go. Drawn from its seed.
struct view_faults {
  std::size_t nodes = 3;
  std::uint64_t loss = 0; ///< messages between nodes, of a million
  milliseconds delay_max{20};
  bool proxies_die = false;
  bool servers_die = false;
  bool workers_die = false;
  bool actors_stall = false; ///< longer than others wait for them
};

/// Checked at every answer: nobody reads on a node what is older than what was
/// read or written through it before the read began. At the end, with everything
/// healed: each watcher was woken for the newest change, or began anew after it,
/// and all nodes show the same.
class view_world {
public:
  explicit view_world(std::uint64_t seed);
  ~view_world();
  view_world(const view_world&) = delete;

  /// The first fault found, or an empty text.
  std::string run();

  /// How often a node's own tables were shown, and hidden again.
  std::size_t shows() const { return shows_; }
  std::size_t reads() const { return reads_; }
  std::size_t wakes() const { return wakes_; }

private:
  enum class stage : std::uint8_t { none, coming, held, leaving };
  struct node;
  using action = std::function<void()>;
  using name = std::string; ///< data id
  /// With the revision found; none: nobody could answer.
  using on_read = std::function<void(std::optional<std::uint64_t>)>;

  void at(milliseconds later, action what);
  /// Has an actor do it: replies and timeouts of requests come to actors.
  static void inside(const caf::actor& who,
                     std::function<void(caf::event_based_actor*)> what);
  void net(node& from, node& to, action what);
  void step();
  caf::scheduler::test_coordinator& scheduler();
  void run_some_job();
  void start(node& n);
  caf::actor make_host(node& n);
  caf::actor make_gate(node& n);
  caf::actor make_group(node& n);
  void start_proxy(node& n);
  void kill_proxy(node& n);
  void start_worker(node& n);
  void kill_worker(node& n);
  void replace_server(node& n);
  log_index commit(const pb::Command& command);
  std::uint64_t last_change(const name& what, log_index upto) const;
  void late(node& n, log_index index, action tell);
  void answer_late(node& n);
  void apply_some(node& n);
  void install_some(node& n, node& from);
  void come(node& n);
  void leave(node& n);
  void hand_over(node& n);
  void drop_tables(node& n);
  void read(node& n, const name& what, on_read done);
  void has_read(node& n, const name& what, std::uint64_t begun_with,
                std::uint64_t found);
  void write(node& n, const name& what);
  void wake(node& n, const name& what);
  void tell_members();
  void trouble();
  void check_end();
  void fault(std::string what);

  sim::random chance_;
  view_faults faults_;
  std::string weather_; ///< the same in words
  hand_clock time_;
  test_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::vector<std::unique_ptr<node>> nodes_;
  std::multimap<milliseconds, action> later_;
  std::vector<pb::Command> log_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, log_index> done_;
  std::map<name, std::vector<std::uint64_t>> changes_; ///< their indexes
  std::map<caf::actor_addr, milliseconds> stalled_;
  bool healed_ = false;
  std::size_t shows_ = 0;
  std::size_t reads_ = 0;
  std::size_t wakes_ = 0;
  std::size_t values_ = 0;
  std::string fault_;
};

} // namespace muster::test
