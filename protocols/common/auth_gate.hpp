#pragma once

#include "actors/core/base/result.hpp"
#include "protocols/common/route.hpp"

/// Whether a request may do what its route needs.
namespace muster::common {

/// The three switches of nacos-http 1.7.
struct auth_switches {
  bool open = false;
  bool admin = false;
  bool console = false;
};

/// Decides before any handler runs. Immutable after construction, any thread.
///
/// This build has no accounts: with a scope's switch on nobody can be told
/// apart, so every request that needs a permission there is refused. It never
/// passes because something is missing.
class auth_gate {
public:
  auth_gate() = default;
  explicit auth_gate(auth_switches switches) : switches_(switches) {}

  /// `permission_denied` with the reason, or success.
  result<void> decide(const permission& needs,
                      const http::request& request) const;

private:
  auth_switches switches_;
};

} // namespace muster::common
