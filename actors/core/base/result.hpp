#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

/// Errors as values, the one form every layer below a protocol uses.
///
/// An operation that can fail for a reason outside the program (input, disk,
/// network, a competing writer) returns `result<T>`; nothing throws across a
/// folder's border. Codes are gRPC's canonical ones, so that each protocol maps
/// them to its own wire errors in one table.
/// Source: https://grpc.io/docs/guides/status-codes/
namespace muster {

/// What went wrong, in gRPC's canonical vocabulary (numbers equal gRPC's).
enum class errc : std::uint8_t {
  ok = 0,
  cancelled = 1,
  /// The outcome is not known: it happened once or not at all. Never shown to a
  /// client as "failed".
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  /// A bound was hit (queue, permits, quota). Nothing was done; retriable.
  resource_exhausted = 8,
  /// The state of the resource forbids it (kind conflict, not empty).
  failed_precondition = 9,
  /// A compare-and-set lost.
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  /// This node cannot do it now (starting, no leader, actor restarting).
  /// Nothing was done; retriable.
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

/// Name of a code in lower snake case, for logs and metric labels.
std::string_view to_string(errc code) noexcept;

/// An error value: a code and a sentence for a person. Value type, any thread.
struct error {
  errc code = errc::internal;
  /// Names the field or resource at fault; no secrets, no contents.
  std::string message;

  /// Whether repeating the same request may succeed and cannot do it twice.
  bool retriable() const noexcept {
    return code == errc::unavailable || code == errc::resource_exhausted;
  }

  bool operator==(const error&) const = default;
};

/// A `T` or the reason there is none.
template <class T>
using result = std::expected<T, error>;

/// `return fail(errc::not_found, "config a/b");`
inline std::unexpected<error> fail(errc code, std::string message) {
  return std::unexpected(error{code, std::move(message)});
}

} // namespace muster
