#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/distro/outbox.hpp"
#include "actors/core/distro/pulls.hpp"
#include "actors/core/distro/ring.hpp"
#include "actors/core/distro/table.hpp"
#include "actors/core/distro/types.hpp"

namespace muster::distro {

/// Effects, in this order: orders before the answers that rest on them.
struct output {
  std::vector<order> orders;
  struct incoming {
    node_id from;
    std::uint64_t id = 0;
    client_call call;
  };
  std::vector<incoming> calls; ///< to be done here, then `answer`
  struct ended {
    std::uint64_t id = 0;
    call_answer answer;
  };
  std::vector<ended> answers; ///< of this node's calls
  std::vector<outgoing> messages;
};

/// Distro of one node: what every node owns, told to all others at once and
/// compared every few seconds; who takes over when a node goes; calls for
/// clients of other nodes. Owned by the distro actor; not thread-safe.
///
/// Messages may be lost, doubled and reordered: a publication's greater origin
/// wins, and comparison repairs the rest. Keeps nothing across a crash:
/// a successor is given what services show (`found`) and asks its peers.
class distro_core {
public:
  /// `revisions` outlives it.
  distro_core(node_life self, const distro_settings& settings,
              naming::revision_clock& revisions, steady_time now);

  /// From a service's view, before anything else.
  void found(publication_ptr p);

  /// The members changed; the first call starts the load.
  void set_members(ring_ptr now_members, steady_time now);

  /// A service's own change, or that it let one go
  /// (service_core::take_changes).
  void changed(publication_ptr p, steady_time now);

  /// A DistroMessage of another node. What does not parse is dropped.
  void receive(node_id from, std::string_view bytes, steady_time now);

  /// Messages to that node do not get out.
  void unsent(node_id to, steady_time now);

  /// The actor of a service has missed orders.
  void missed(const service_key& key) { missed_.insert(key); }
  bool has_missed() const noexcept { return !missed_.empty(); }

  /// Has another node do something; its end is in `output::answers`.
  std::uint64_t call(node_id to, const client_call& call, steady_time now);

  /// Of an incoming call.
  void answer(const output::incoming& call, const call_answer& answer);

  void tick(steady_time now);

  output take_output(steady_time now);

  /// When `take_output` has changes to tell; nullopt: nothing waits.
  std::optional<steady_time> flush_due() const noexcept;

  /// All that could be learned at start has been asked for.
  bool loaded() const noexcept { return loaded_; }
  std::size_t size() const noexcept { return table_.size(); }
  const table& known() const noexcept { return table_; }

private:
  struct peer_state {
    pulls asks;
    enum class load : std::uint8_t {
      waiting,
      running,
      over
    } loading = load::waiting;
    bool unsent = false;
    std::size_t lost = 0; ///< pulls in a row
  };
  struct called {
    node_id to;
    steady_time deadline;
  };

  std::vector<node_id> reachable() const;
  bool is_weak(const publication& p, const publication& mine,
               node_id from) const;
  void merge(const publication_ptr& p, node_id from);
  void merge_removal(const publication_ptr& p, const publication_ptr& mine);
  void put_order(order::what kind, publication_ptr p);
  void settle(const publication_ptr& p);
  void reassess();
  void welcome(steady_time now);
  void tell(publication_ptr p, steady_time now);
  void flush_changes(steady_time now);
  void send_verify();
  void on_verify(node_id from, std::uint64_t boot, const pb::DistroVerify& m,
                 steady_time now);
  void on_pull(node_id from, std::uint64_t boot, const pb::DistroPull& m);
  void on_pulled(node_id from, std::uint64_t boot, const pb::DistroPulled& m,
                 steady_time now);
  void on_call(node_id from, const pb::DistroCall& m);
  void on_answer(node_id from, const pb::DistroAnswer& m);
  void end_call(std::uint64_t id, error why);
  void pump(node_id to, steady_time now);
  void load(steady_time now);
  void resend_missed();

  const node_life self_;
  const distro_settings& settings_;
  naming::revision_clock& revisions_;
  table table_;
  ring_ptr ring_;
  std::map<node_id, peer_state> peers_;
  /// Owners of publications that are gone for good or for now.
  std::set<node_life> dead_;
  std::set<service_key> missed_;

  std::vector<publication_ptr> untold_;
  std::optional<steady_time> flush_at_;
  steady_time verify_at_;
  steady_time started_;
  bool loaded_ = false;

  outbox out_;
  output output_;
  std::map<std::uint64_t, called> calls_;
  std::uint64_t last_call_ = 0;
  std::size_t incoming_ = 0;
};

} // namespace muster::distro
