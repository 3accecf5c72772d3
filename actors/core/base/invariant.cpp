#include "actors/core/base/invariant.hpp"

#include <cstdio>
#include <cstdlib>

namespace muster {

void invariant_broken(std::string_view condition, std::string_view text,
                      std::string_view file, int line) {
  std::fprintf(stderr, "invariant broken: %.*s (%.*s) at %.*s:%d\n",
               static_cast<int>(text.size()), text.data(),
               static_cast<int>(condition.size()), condition.data(),
               static_cast<int>(file.size()), file.data(), line);
  std::abort();
}

} // namespace muster
