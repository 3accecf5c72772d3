#pragma once

#include <string_view>

/// `MUSTER_INVARIANT(cond, "text")`: a statement that only a bug of ours can
/// break. Checked in release builds too: a wrong answer is worse than a
/// restart. Never reachable by user input (that is `result`'s work).
#define MUSTER_INVARIANT(cond, text)                                           \
  (static_cast<bool>(cond)                                                     \
     ? static_cast<void>(0)                                                    \
     : ::muster::invariant_broken(#cond, text, __FILE__, __LINE__))

namespace muster {

/// Writes condition, text and place to stderr and aborts.
[[noreturn]] void invariant_broken(std::string_view condition,
                                   std::string_view text, std::string_view file,
                                   int line);

} // namespace muster
