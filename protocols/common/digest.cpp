#include "protocols/common/digest.hpp"

#include <memory>

#include <openssl/evp.h>

#include "actors/core/base/invariant.hpp"

namespace muster::common {

namespace {

struct free_context {
  void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
};
struct free_digest {
  void operator()(EVP_MD* d) const { EVP_MD_free(d); }
};

} // namespace

std::string md5_hex(std::string_view bytes) {
  // Fetching an algorithm costs more than hashing a small text: once a thread.
  thread_local const std::unique_ptr<EVP_MD, free_digest> md5(
      EVP_MD_fetch(nullptr, "MD5", nullptr));
  thread_local const std::unique_ptr<EVP_MD_CTX, free_context> context(
      EVP_MD_CTX_new());
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  const bool ok =
      md5 && context
      && EVP_DigestInit_ex(context.get(), md5.get(), nullptr) == 1
      && EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1
      && EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1;
  MUSTER_INVARIANT(ok, "OpenSSL offers MD5");
  std::string out;
  out.reserve(2 * size);
  append_hex(out, digest.data(), size);
  return out;
}

void append_hex(std::string& out, const std::uint8_t* bytes, std::size_t size) {
  static constexpr char digits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < size; ++i) {
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
}

} // namespace muster::common
