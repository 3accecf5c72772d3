#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "actors/core/base/clock.hpp"
#include "actors/core/base/result.hpp"

namespace muster::http_client {

/// What is asked of whom. Texts are sent as they are: the caller has checked
/// them.
struct request {
  std::string host; ///< a name or an IP address, without brackets
  std::uint16_t port = 80;
  std::string method{"GET"};
  std::string target{"/"}; ///< path and query, percent-encoded
};

struct bounds {
  milliseconds at_most{
      5'000}; ///< from the look-up of the name to the last byte
  std::size_t body_bytes_max = 1U << 20;
};

struct answer {
  unsigned status = 0;
  std::string body;
};

/// Sends a request without a body and waits for the answer, whatever its
/// status. Blocks; any thread. `deadline_exceeded`; `unavailable` if the server
/// cannot be reached or breaks off; `data_loss` if what comes is no HTTP or too
/// long. The texts begin with host and port.
result<answer> fetch(const request& what, const bounds& within);

} // namespace muster::http_client
