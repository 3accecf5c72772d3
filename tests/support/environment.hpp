#pragma once

#include <cstdint>
#include <cstdlib>

namespace muster::test {

/// The number that environment variable has, such as a seed to be run again.
inline std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const auto* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

} // namespace muster::test
