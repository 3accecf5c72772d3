#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/core/raft/message.hpp"
#include "actors/core/raft/types.hpp"

/// How scripts write down what the core's values are. What is shown can be read
/// back, so that a script may use any line it has shown. tests/sim/README.md
/// has the legend.
namespace muster::sim::script {

/// A script that cannot go on, or a promise of Raft that was broken.
struct failure {
  std::string what;
};

std::string show(const raft::log_position& p); ///< 5@2 = index 5 of term 2
/// {1,2,3}; {1,2,4<-1,2,3} while both count; {1,2~3} if 3 learns.
std::string show(const raft::configuration& c);
/// 5@2 = no-op, 5@2=x = command, 5@2{1,2} = configuration.
std::string show(const raft::entry& e);
std::string show(const std::vector<raft::entry>& entries);
std::string show(const raft::message& m);
/// First word of a message, such as `append`.
std::string kind_of(const raft::message& m);

std::vector<std::string> words(std::string_view line);
/// These throw `failure`.
std::uint64_t number(std::string_view text);
raft::log_position position(std::string_view text);
raft::configuration members(std::string_view text);
/// Also 5@2! = without payload, 5@2{?} = a configuration that does not parse.
raft::entry entry(std::string_view text);

/// 1->2, where * is any node.
struct link {
  node_id from; ///< 0 = any
  node_id to;   ///< 0 = any
  bool fits(node_id a, node_id b) const {
    return (from.value == 0 || from == a) && (to.value == 0 || to == b);
  }
  bool operator==(const link&) const = default;
};
bool is_link(std::string_view text);
link link_of(std::string_view text);

/// The words of a message as `show` writes it; appends and what accepts them,
/// heartbeats, requests for votes and to lead only.
raft::message message_of(const std::vector<std::string>& text);

} // namespace muster::sim::script
