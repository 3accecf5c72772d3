#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tools/history/operation.hpp"

namespace muster::history {

enum class verdict : std::uint8_t {
  /// There is an order in which a store that does one thing at a time would
  /// have answered the same.
  linearizable,
  violation,
  /// The bounds were used up first. No proof of anything: count it as failure.
  undecided,
};

/// How far a search may go.
struct bounds {
  /// States looked at; one takes some microseconds.
  std::uint64_t steps_max = 20'000'000;
  /// Of the memory of visited states, about.
  std::size_t memory_bytes_max = std::size_t{1} << 30;
};

/// Whether the operations of one key are linearizable, and their local reads
/// in order.
///
/// An operation takes effect at one moment between its invocation and its
/// return; an unknown one at any moment after its invocation, or not at all. A
/// local read may show the past: it only has to come after what its own node
/// answered before, and before whatever was invoked after it anywhere.
///
/// The search is Wing's and Gong's with Lowe's memory of visited states
/// ("Testing for linearizability", 2017), depth first and without recursion.
/// Four things keep it short, none of which loses an answer:
/// * What changes nothing (a read, a compare-and-set that was refused) is taken
///   as soon as it fits.
/// * A content that somebody still has to read is not overwritten if nobody can
///   store it again.
/// * An unknown write whose content was read did happen, and before that read.
/// * Other unknown writes that do the same are taken in order of invocation,
/// and
///   a state reached with more of them spent is worth no look.
/// Contents that are stored once only make it fast; the answer is right for
/// all.
verdict check_key(std::span<const operation> operations,
                  const bounds& within = {});

/// The part of a violation that shows it: a few operations of which none can be
/// left out, in order of invocation, with the writes (failed ones too) of the
/// contents that they speak of. Empty if there is no violation within the bounds.
std::vector<operation> offending(std::span<const operation> operations,
                                 const bounds& within = {});

} // namespace muster::history
