#pragma once

#include <string_view>

namespace muster::nacos::udp {

/// Whether Nacos pushes over UDP to a client that calls itself so
/// (`Nacos-Java-Client:v1.4.2`): the kinds that listen for datagrams, each from
/// its first version that does. Pure, any thread. (nacos-http 3.7; Nacos'
/// ClientInfo and SwitchDomain)
bool takes_pushes(std::string_view user_agent) noexcept;

} // namespace muster::nacos::udp
