#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <caf/error.hpp>
#include <caf/local_actor.hpp>
#include <caf/scheduled_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/runtime/reply.hpp"

/// Small things every actor of this folder needs.
namespace muster::runtime {

/// An answer owed by a callback; the last copy that goes answers `unknown`.
using owed_reply = std::shared_ptr<reply>;

inline owed_reply share(reply r) {
  return std::make_shared<reply>(std::move(r));
}

/// An error handler that passes the error on.
inline auto fail_with(owed_reply to) {
  return [to = std::move(to)](const caf::error& e) {
    to->fail(api::from_caf(e));
  };
}

/// Logs and drops what an actor has no handler for.
template <class Self>
void drop_unexpected(Self* self) {
  self->set_default_handler(
    [](caf::scheduled_actor* who, caf::message_view&) -> caf::result<caf::message> {
      spdlog::warn("actor {}: unexpected message dropped", who->name());
      return caf::make_error(caf::sec::unexpected_message);
    });
}

/// An actor's state: made by the behaviour function, destroyed when the actor
/// quits (which is why it is not a member of the actor itself).
template <class T>
struct holder {
  static inline const char* name = T::actor_name;
  std::optional<T> it;
};

} // namespace muster::runtime
