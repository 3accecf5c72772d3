#pragma once

#include <memory>

#include <caf/io/doorman.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/scribe.hpp>

#include "actors/runtime/owned_socket.hpp"
#include "actors/runtime/tls_listener.hpp"
#include "actors/runtime/tls_session.hpp"

/// TLS where CAF's middleman has plain sockets. What is handed over here is
/// past its handshake: CAF never sees a byte of somebody who proved nothing.
namespace muster::runtime {

/// A connection. The middleman's thread uses it.
caf::io::scribe_ptr
make_tls_scribe(caf::io::network::default_multiplexer& multiplexer,
                owned_socket socket, std::unique_ptr<tls_session> session);

/// A port: its connections are those that a listener lets through. `at_most`:
/// see tls_listener. Null if there are no descriptors.
caf::io::doorman_ptr
make_tls_doorman(caf::io::network::default_multiplexer& multiplexer,
                 tls_credentials_ptr own, owned_socket listening,
                 milliseconds at_most);

} // namespace muster::runtime
