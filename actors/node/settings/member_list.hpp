#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/base/host_port.hpp"
#include "actors/core/base/result.hpp"
#include "actors/node/settings/settings.hpp"

/// The members of a cluster as an operator writes them down.
namespace muster {

/// A node by its main address, which is its name in the cluster.
using member_address = host_port;

/// Reads `host`, `host:port`, `[IPv6]:port`, separated by commas, blanks or
/// lines; what stands behind `?` in an entry (Nacos' raft_port) and behind `#`
/// in a line is left out. `invalid_argument` names the entry that is none, or
/// that is there twice. Source: Nacos' cluster.conf (platform.md 1.8).
result<std::vector<member_address>> parse_member_list(std::string_view text);

/// The list that is written down for a node: `member.list`, else the file
/// cluster.conf if it is there and names anybody. None: the node stands alone, or
/// asks an address server. Reads the file.
result<std::optional<std::vector<member_address>>>
configured_members(const settings& s);

/// Whether the list is to be asked of an address server.
bool asks_address_server(const settings& s);

/// Which of `list` this node is: the entry with its port whose host is
/// `server.ip`, or the address it listens on, or (listening on all) one of this
/// host's. `failed_precondition` if there is none, or more than one.
result<member_address> own_member(const std::vector<member_address>& list,
                                  const settings& s);

/// Whether other hosts could reach the cluster's port of such a node without
/// having to prove anything, though nobody asked for that.
bool exposes_cluster_port(const settings& s);

} // namespace muster
