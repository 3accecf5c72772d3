#pragma once

#include <cstdint>
#include <string_view>

/// Hashes that are the same on every node and in every version, for what nodes
/// have to agree on. Not for hostile input. Pure, any thread.
namespace muster {

/// Spreads the bits of a number over all of its result.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x ^= x >> 33U;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33U;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33U);
}

/// Where a chain of fnv1a() begins.
inline constexpr std::uint64_t fnv_basis = 0xcbf29ce484222325ULL;

/// 64-bit FNV-1a of a text, going on from `hash`. Source: the IETF's draft
/// "The FNV Non-Cryptographic Hash Algorithm".
constexpr std::uint64_t fnv1a(std::string_view text,
                              std::uint64_t hash = fnv_basis) noexcept {
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  return hash;
}

/// FNV-1a with its bits spread. `seed` chains texts: a hash of several is not
/// the hash of their concatenation.
constexpr std::uint64_t stable_hash(std::string_view text,
                                    std::uint64_t seed = 0) noexcept {
  return mix(fnv1a(text, fnv_basis ^ seed));
}

} // namespace muster
