#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/core/distro/distro_core.hpp"
#include "actors/core/naming/service_core.hpp"
#include "tests/sim/raft/random.hpp"

/// A node of a simulated cluster: the real cores of distro and of the services,
/// with queues between them where the server has mailboxes.
namespace muster::sim {

inline constexpr naming::service_rules sim_rules{};

/// What a client was answered.
struct client_reply {
  bool ok = false;
  bool known = false;
};
using on_reply = std::function<void(const client_reply&)>;

class distro_node {
public:
  distro_node(node_id id, std::uint64_t boot,
              const distro::distro_settings& settings, random& chance,
              milliseconds skew);

  /// As the service actor does it: here, or by the node that is responsible.
  void request(distro::client_call call, bool here, steady_time now,
               on_reply done);
  /// Of a client that is connected here.
  void publish_stream(const service_key& key, const std::string& client,
                      std::vector<naming::instance_ptr> instances,
                      steady_time now);
  void retract(const service_key& key, const std::string& client,
               steady_time now);

  void set_members(std::vector<distro::peer> all, steady_time now);
  /// Lets time pass and queues move.
  void step(steady_time now, bool tick);
  void receive(node_id from, const std::string& body, steady_time now) {
    distro_->receive(from, body, now);
  }
  void unsent(node_id to, steady_time now) { distro_->unsent(to, now); }
  std::vector<distro::outgoing> take_messages();

  /// The actor of a service dies, and a successor takes over. -> which
  service_key crash_service(steady_time now);
  void crash_distro(steady_time now);

  bool loaded() const { return distro_->loaded(); }
  const distro::table& known() const { return distro_->known(); }
  naming::service_view_ptr view(const service_key& key) const;
  bool idle() const { return to_services_.empty() && to_distro_.empty(); }
  node_id id() const { return shared_.self.node; }
  std::uint64_t boot() const { return shared_.self.boot; }

private:
  struct service {
    naming::service_core core;
    naming::service_view_ptr view;
  };

  service& open(const service_key& key, steady_time now);
  void do_here(const distro::client_call& call, steady_time now,
               const on_reply& done);
  void carry_out(const distro::order& o, steady_time now);
  void publish_views(steady_time now);
  void take_output(steady_time now);
  wall_time wall(steady_time now) const {
    return wall_time{now.time_since_epoch() + skew_};
  }

  const distro::distro_settings& settings_;
  random& chance_;
  milliseconds skew_;
  naming::revision_clock revisions_;
  naming::sharing shared_;
  std::optional<distro::distro_core> distro_;
  distro::ring_ptr ring_;
  std::map<service_key, service> services_;
  /// Mailboxes: what distro says to services, and services to distro. Services
  /// lose theirs when they die.
  struct mail {
    std::optional<service_key> service;
    std::function<void(steady_time)> run;
  };
  std::deque<mail> to_services_;
  std::deque<mail> to_distro_;
  std::map<std::uint64_t, on_reply> waiting_;
  std::map<std::uint64_t, distro::client_call> called_;
  std::vector<distro::outgoing> messages_;
};

} // namespace muster::sim
