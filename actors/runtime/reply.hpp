#pragma once

#include <utility>

#include <caf/abstract_actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/error.hpp>
#include <caf/local_actor.hpp>
#include <caf/message.hpp>
#include <caf/message_id.hpp>
#include <caf/response_promise.hpp>

#include "actors/api/errors.hpp"

/// An answer that is owed, as an object.
namespace muster::runtime {

/// The obligation to answer one request, detached from the actor that received
/// it, so that it can travel along a pipeline of actors and be met by the last.
/// Move-only; any thread may hold and meet it. Destroyed unmet it answers
/// `unknown`: a requester never waits for an actor that died.
class reply {
public:
  reply() = default;

  /// Takes over the answer to the message `self` is handling right now.
  explicit reply(caf::local_actor* self) {
    auto promise = self->make_response_promise();
    source_ = promise.next();
    id_ = promise.id();
  }

  reply(reply&& other) noexcept
    : source_(std::exchange(other.source_, nullptr)), id_(other.id_) {}

  reply& operator=(reply&& other) noexcept {
    if (this != &other) {
      abandon();
      source_ = std::exchange(other.source_, nullptr);
      id_ = other.id_;
    }
    return *this;
  }

  ~reply() { abandon(); }

  template <class T>
  void deliver(T&& value) {
    send(caf::make_message(std::forward<T>(value)));
  }

  /// Leaves the answer, not given yet, to `target`: it takes `message` as if the
  /// requester had sent it there. A target that is dead answers so.
  template <class Handle, class Message>
  void pass_on(const Handle& target, Message message) {
    caf::actor_cast<caf::abstract_actor*>(target)->enqueue(
      std::exchange(source_, nullptr), id_,
      caf::make_message(std::move(message)), nullptr);
  }

  void fail(const error& e) { send(caf::make_message(api::to_caf(e))); }

private:
  void abandon() {
    if (source_)
      fail({errc::unknown, "the outcome is not known: a part of the node was "
                           "restarted while the request was in progress"});
  }

  void send(caf::message m) {
    if (const auto to = std::exchange(source_, nullptr))
      to->enqueue(nullptr, id_.response_id(), std::move(m), nullptr);
  }

  caf::strong_actor_ptr source_;
  caf::message_id id_;
};

} // namespace muster::runtime
