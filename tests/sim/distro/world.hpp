#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/distro/node.hpp"

namespace muster::sim {

/// How bad a run is. Drawn from its seed.
struct distro_faults {
  std::size_t nodes = 3;
  std::uint64_t loss = 0; ///< messages of a million
  std::uint64_t doubled = 0;
  milliseconds delay_max{50};
  bool crashes = false; ///< of nodes
  bool partitions = false;
  bool actors_die = false;
};

/// Nodes, clients, a network and a clock, all of one seed. Clients beat and
/// reconnect as SDKs do; what they see is checked at every step:
///  - a client that lives is shown as healthy on each node that it can reach,
///  or
///    could before, and that stays up, from the moment it was shown there;
///  - the revision that one owner gave never goes back on a node.
/// At the end, with everything healed, all nodes show the same: what lives.
class distro_world {
public:
  explicit distro_world(std::uint64_t seed);

  /// The first fault found, or an empty text.
  std::string run();

  std::size_t takeovers() const { return takeovers_; }

private:
  struct client {
    std::string id; ///< of a stream: renewed with each connection
    service_key service;
    naming::instance_ptr instance;
    bool beats = true;
    bool live = true;
    /// Registered, and answered so.
    bool registered = false;
    bool busy = false; ///< a request is under way
    steady_time next{};
    steady_time ended{};
    /// Of a stream: where it is connected; -1: nowhere.
    int at = -1;
    /// The side of a partition it is on.
    int side = 0;
    /// By node: it is shown there and may not go.
    std::vector<bool> shown;
    /// By node: until then it may not know yet what the other side heard.
    std::vector<steady_time> unsure_until;
  };
  struct place {
    std::unique_ptr<distro_node> node; ///< null: it is down
    milliseconds skew{};
    std::uint64_t boot = 0;
    int side = 0;
    steady_time back_at{};
    /// When each other one was last reached; what it was then.
    std::vector<steady_time> heard;
    std::vector<std::uint64_t> heard_boot;
    std::vector<distro::peer> told;
    std::map<std::string, naming::origin> revisions;
  };
  struct packet {
    node_id from;
    std::uint64_t to_boot;
    node_id to;
    std::shared_ptr<const std::string> body;
  };

  void start(std::size_t i);
  void stop(std::size_t i);
  bool linked(std::size_t a, std::size_t b) const;
  void watch_members(std::size_t i);
  void carry_messages();
  void deliver();
  void break_things();
  void crash_service(std::size_t i);
  void note_heal();
  void heal();
  void act(client& c);
  void act_beating(client& c);
  void act_connected(client& c);
  /// A node this client can reach, or -1.
  int some_node(const client& c);
  void add_client(bool beats);
  void end_some_client();
  void step();
  void check_shown();
  void check_revisions();
  void check_equal();
  bool shows(const distro_node& n, const client& c, bool healthy) const;
  void fault(std::string what);

  random chance_;
  distro_faults faults_;
  std::string weather_; ///< the same in words
  distro::distro_settings settings_;
  steady_time now_{milliseconds{10'000'000}};
  steady_time begin_ = now_;
  std::vector<place> places_;
  std::vector<std::unique_ptr<client>> clients_;
  std::multimap<steady_time, packet> network_;
  std::uint64_t next_boot_ = 1;
  std::size_t next_id_ = 0;
  bool parted_ = false;
  steady_time change_at_{};
  steady_time healed_at_{};
  std::size_t takeovers_ = 0;
  std::string fault_;
};

} // namespace muster::sim
