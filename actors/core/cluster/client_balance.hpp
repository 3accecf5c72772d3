#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "actors/core/base/ids.hpp"
#include "actors/core/cluster/members.hpp"

/// Which clients' streams move between nodes. Pure functions.
/// Source: Nacos' `loader` operations (nacos-grpc 5, nacos-http 5).
namespace muster::cluster {

/// What one node carries.
struct node_load {
  node_id node;
  std::string address;           ///< `host:http_port`
  std::uint64_t connections = 0; ///< streams of clients
  std::uint64_t sdks = 0;        ///< of those, that may be sent elsewhere
  double load = 0;               ///< load average of the last minute
  double cpu = 0;                ///< share of the cores with work, 0…1
};

/// Of the `sdks` of several nodes; all 0 without any.
struct load_figures {
  std::uint64_t total = 0;
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  std::uint64_t average = 0; ///< rounded down
};
load_figures figures_of(std::span<const node_load> loads);

/// A node is to keep so many SDKs and to send the others to `target`.
struct client_move {
  node_id from;
  std::uint64_t keep = 0;
  std::string target;
};

/// Nodes that have more than the average by the share `factor` (0…1), the
/// fullest first, each with one of those that have less by it, the emptiest
/// first. A pair for each of the fewer; none if all are within.
std::vector<client_move> balance(std::vector<node_load> loads, double factor);

/// The share of its SDKs that a node asks at most to move at once, so that
/// those that come to the other are not a storm.
inline constexpr double moved_share_max = 0.1;

/// How many of `sdks` stay when somebody wants `keep` to.
std::uint64_t kept_at_once(std::uint64_t sdks, std::uint64_t keep);

/// Addresses of the members that clients can be sent to: those that are up, but
/// for this node.
std::vector<std::string> refuges(const member_list& members);

} // namespace muster::cluster
