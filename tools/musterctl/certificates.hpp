#pragma once

#include <memory>
#include <string>
#include <vector>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "actors/core/base/clock.hpp"
#include "actors/core/base/result.hpp"

/// X.509 certificates on P-256 keys, made with libcrypto. Pure but for the
/// random numbers of the keys and serials; any thread.
namespace muster::ctl {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};
using certificate_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;

/// A certificate with its private key.
struct identity {
  certificate_ptr certificate;
  key_ptr key;
};

/// From when until when a certificate holds; whole seconds of it count.
struct validity {
  wall_time from;
  wall_time until;
};

/// For whom a certificate is.
struct subject {
  std::string common_name; ///< at most 64 bytes
  /// Alternative names: host names and IP addresses, and URIs. Neither commas
  /// nor anything but printable ASCII may be in them.
  std::vector<std::string> hosts{};
  std::vector<std::string> uris{};
};

/// Whether `text` is an IP address in its usual form.
bool is_ip_address(const std::string& text);

/// A new CA that signs for nobody but end entities. `internal`: libcrypto could
/// not, as in all of these.
result<identity> make_authority(const std::string& common_name,
                                const validity& when);

/// A certificate for both ends of a TLS connection, signed by `by`; by its own
/// key if `by` is null.
result<identity> issue(const subject& whom, const validity& when,
                       const identity* by);

/// Until when it holds.
result<wall_time> valid_until(const X509& certificate);

/// PEM; a key is not encrypted.
result<std::string> to_pem(const X509& certificate);
result<std::string> to_pem(const EVP_PKEY& key);

/// `invalid_argument` if a text is not PEM of such, or the key is another's.
result<identity> identity_from_pem(const std::string& certificate,
                                   const std::string& key);

} // namespace muster::ctl
