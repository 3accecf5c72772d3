// What comes to the UDP port: an acknowledgement or anything else.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocols/nacos/udp/agent.hpp"
#include "protocols/nacos/udp/datagram.hpp"

using namespace muster::nacos;

/// What is taken for an acknowledgement has the type of one, and its number
/// survives a push and the answer to it. A header goes through the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view sent{reinterpret_cast<const char*>(data), size};
  static_cast<void>(udp::takes_pushes(sent));
  const auto id = udp::parse_ack(sent);
  if (!id)
    return 0;
  if (!sent.contains("lastRefTime") && !sent.contains('\\'))
    std::abort();
  const auto again = udp::parse_ack(R"({"type":"push-ack","lastRefTime":)"
                                    + std::to_string(*id) + R"(,"data":""})");
  if (again != id)
    std::abort();
  return 0;
}
