#include "protocols/nacos/udp/target.hpp"

#include <boost/asio/ip/address.hpp>

#include "actors/core/base/text.hpp"

namespace muster::nacos::udp {

namespace ip = boost::asio::ip;

ip::address plain(ip::address address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  return address;
}

std::optional<endpoint> push_target(const http::request& request,
                                    std::string_view port) {
  const auto number = parse_number<std::uint16_t>(port).value_or(0);
  if (number == 0)
    return std::nullopt;
  // The proxy is the peer; whoever stands behind it is not known.
  if (request.source_ip() != request.peer_ip)
    return std::nullopt;
  boost::system::error_code ec;
  const auto peer = ip::make_address(request.peer_ip, ec);
  if (ec)
    return std::nullopt;
  return endpoint{plain(peer), number};
}

} // namespace muster::nacos::udp
