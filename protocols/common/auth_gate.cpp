#include "protocols/common/auth_gate.hpp"

namespace muster::common {

result<void> auth_gate::decide(const permission& needs,
                               const http::request&) const {
  if (needs.what == action::none)
    return {};
  bool guarded = true;
  switch (needs.where) {
  case scope::open:
    guarded = switches_.open;
    break;
  case scope::admin:
    guarded = switches_.admin;
    break;
  case scope::console:
    guarded = switches_.console;
    break;
  case scope::always:
    guarded = false;
    break;
  }
  if (!guarded)
    return {};
  return fail(errc::permission_denied,
              "authorization is on, but this server has no accounts yet");
}

} // namespace muster::common
