#pragma once

#include <memory>
#include <string>

#include <openssl/types.h>

#include "actors/core/base/result.hpp"

namespace muster::runtime {

/// Where a node's certificates are; PEM.
struct tls_files {
  std::string ca;          ///< of all nodes; one or more certificates
  std::string certificate; ///< this node's, and what leads from it to the CA
  std::string key;         ///< of that certificate; without a pass phrase
};

/// What a node proves with that it is one, and whom it believes: TLS 1.3, both
/// sides with a certificate of the CA that bears cluster::node_role. Immutable,
/// any thread; connections hold what they need of it.
class tls_credentials {
public:
  /// Reads the files once. `failed_precondition`, with the setting at fault, if
  /// a file does not do, or other nodes would not believe this one: its
  /// certificate is not for `host`, by which they know it, not of the CA, not
  /// valid now, or not a node's.
  static result<std::shared_ptr<const tls_credentials>>
  load(const tls_files& files, const std::string& host);

  /// Lives as long as this object; OpenSSL counts the references to it itself.
  SSL_CTX* context() const { return context_.get(); }

private:
  struct freed {
    void operator()(SSL_CTX* context) const;
  };
  using context_ptr = std::unique_ptr<SSL_CTX, freed>;

  explicit tls_credentials(context_ptr context);
  static context_ptr make_context();

  context_ptr context_;
};

using tls_credentials_ptr = std::shared_ptr<const tls_credentials>;

} // namespace muster::runtime
