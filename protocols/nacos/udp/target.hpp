#pragma once

#include <optional>
#include <string_view>

#include <boost/asio/ip/udp.hpp>

#include "protocols/common/http_types.hpp"

namespace muster::nacos::udp {

using endpoint = boost::asio::ip::udp::endpoint;

/// An IPv4 address that is written as an IPv6 one counts as what it stands for.
boost::asio::ip::address plain(boost::asio::ip::address address);

/// Where a list call that names `port` may be pushed to: that port of the TCP
/// peer; nothing if the port is none or the request was passed on by a proxy.
///
/// The declared `clientIP` is not used, unlike in Nacos. Who may name any
/// address has a few hundred bytes of request turned into datagrams of up to 64
/// KiB to a victim of his choice, twice per change; a TCP peer has proved that
/// it receives at its address. The cost: a client behind an address translation
/// gets no pushes and hears by its next poll. (deploy/docs/decisions.md, 12)
std::optional<endpoint> push_target(const http::request& request,
                                    std::string_view port);

} // namespace muster::nacos::udp
