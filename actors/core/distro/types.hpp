#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "actors/core/base/clock.hpp"
#include "actors/core/base/result.hpp"
#include "actors/core/naming/publication.hpp"

/// What services and distro say to each other.
namespace muster::distro {

/// Times and bounds of distro. Fixed while the node runs.
struct distro_settings {
  /// Changes are collected this long before they are told.
  milliseconds flush_every{20};
  /// How often nodes compare what they have.
  milliseconds verify_every{5'000};
  /// At start: how long a peer that cannot be reached is tried, and all of
  /// them.
  milliseconds unreachable_after{2'000};
  milliseconds load_at_most{10'000};
  /// Longest wait for another node's answer.
  milliseconds call_timeout{1'000};
  milliseconds pull_timeout{2'000};
  /// Of one message, about; of all changes told in one flush.
  std::size_t message_bytes_max = 1U << 20U;
  std::size_t flush_bytes_max = 4U << 20U;
  /// Changes that wait to be told; more are left to the next comparison.
  std::size_t backlog_max = 200'000;
  std::size_t pulls_at_once = 2;
  /// Publications named in one question, about.
  std::size_t named_max = 4'096;
  /// Calls under way: to other nodes, and from them.
  std::size_t calls_max = 20'000;
};

/// What a service has to do.
struct order {
  enum class what : std::uint8_t {
    apply,  ///< service_core::apply
    remove, ///< apply_removal
    adopt,
    abandon
  };
  what kind = what::apply;
  naming::publication_ptr publication;
  bool responsible = false; ///< this node is, for the client
};

/// Something an HTTP client asked of a node that is not responsible for it.
struct client_call {
  enum class what : std::uint8_t { publish, retract, beat };
  what kind = what::beat;
  service_key service;
  std::string client_id;
  /// Of the publication, as the caller knows it.
  std::uint64_t revision = 0;
  std::vector<naming::instance_ptr> instances;
};

/// How it went.
struct call_answer {
  error failure{errc::ok, {}};
  bool known = false; ///< of a beat
  milliseconds interval{};
};

} // namespace muster::distro
