#pragma once

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/io/middleman_actor.hpp>

#include "actors/core/base/clock.hpp"
#include "actors/runtime/tls_credentials.hpp"

/// TCP between nodes as CAF's middleman does not make it by itself: no attempt
/// to connect takes longer than it may, and a connection whose other end is
/// gone without a word (a cut cable, a dropped packet filter) dies within
/// seconds. Without that, a node behind a healed partition would be reached
/// minutes later, when the kernel gives up the old connection. With credentials
/// they are TLS connections, and never anything else.
namespace muster::runtime {

/// Of each connection. What was sent and is not acknowledged for `dead_after`,
/// or a silence of as long in spite of probes, ends it (tcp(7),
/// TCP_USER_TIMEOUT, SO_KEEPALIVE).
struct peer_socket_times {
  milliseconds connect{1'000}; ///< until it stands, TLS included
  milliseconds dead_after{4'000};
};

/// A middleman of its own thread, for one attempt to connect or one port to
/// publish. The caller ends it: by `user_shutdown` when it has the answer, by
/// `kill` to give up what was begun. It does not outlive its owner: the actor
/// system waits for it at its end. Without credentials (null) what is said can
/// be read and changed on the way.
caf::io::middleman_actor spawn_peer_sockets(caf::actor_system& system,
                                            const caf::actor& owner,
                                            tls_credentials_ptr tls,
                                            peer_socket_times times = {});

/// Has the broker of all connections drop, when it ends, what it was sent and
/// takes no more, as every other actor does. CAF 0.17 forgets that
/// (`abstract_broker::cleanup`): a message in its mailbox would hold its sender,
/// also one that comes later, and the thread of a detached actor that is held
/// never ends, nor does the actor system. To be called once.
void close_broker_at_end(caf::actor_system& system);

} // namespace muster::runtime
