#include "actors/runtime/tls_credentials.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "actors/core/cluster/node_role.hpp"

namespace muster::runtime {

namespace {

/// 112 bits: no short keys, no SHA-1.
constexpr int security_level = 2;

bool bears_role(const X509& certificate) {
  const std::string_view wanted = cluster::node_role;
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(
          &certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free};
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* each = sk_GENERAL_NAME_value(names.get(), i);
    if (each->type != GEN_URI)
      continue;
    const auto* uri = each->d.uniformResourceIdentifier;
    const std::string_view text{
        reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
        static_cast<std::size_t>(ASN1_STRING_length(uri))};
    if (text == wanted)
      return true;
  }
  return false;
}

/// Called for each certificate of the other side's chain, its own (0) last.
int check_role(int fine, X509_STORE_CTX* chain) {
  if (fine != 1 || X509_STORE_CTX_get_error_depth(chain) != 0)
    return fine;
  const auto* own = X509_STORE_CTX_get_current_cert(chain);
  if (own != nullptr && bears_role(*own))
    return 1;
  X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

/// In place of OpenSSL's own, which asks at the terminal.
int no_pass_phrase(char*, int, int, void*) {
  return 0;
}

std::unexpected<error> wrong(const char* setting, const std::string& what) {
  ERR_clear_error();
  return fail(errc::failed_precondition,
              std::string("cluster.tls.") + setting + ": " + what);
}

result<void> check_readable(const char* setting, const std::string& path) {
  std::ifstream in(path);
  if (in.peek() == std::ifstream::traits_type::eof())
    return wrong(setting,
                 path
                     + (in.is_open()
                            ? " is empty or no file"
                            : " cannot be read: "
                                  + std::system_category().message(errno)));
  return {};
}

result<void> read_files(SSL_CTX* into, const tls_files& files) {
  for (const auto& [setting, path] : {std::pair{"ca", &files.ca},
                                      {"certificate", &files.certificate},
                                      {"key", &files.key}})
    if (auto fine = check_readable(setting, *path); !fine)
      return fine;
  SSL_CTX_set_default_passwd_cb(into, no_pass_phrase);
  if (SSL_CTX_load_verify_locations(into, files.ca.c_str(), nullptr) != 1)
    return wrong("ca", files.ca + " has no certificate in PEM form");
  if (SSL_CTX_use_certificate_chain_file(into, files.certificate.c_str()) != 1)
    return wrong("certificate",
                 files.certificate + " is not a good certificate in PEM form");
  const auto read =
      SSL_CTX_use_PrivateKey_file(into, files.key.c_str(), SSL_FILETYPE_PEM);
  if (read != 1 && ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509)
    return wrong("key", files.key + " is not the key of " + files.certificate);
  if (read != 1)
    return wrong("key",
                 files.key + " is not a key in PEM form without pass phrase");
  return {};
}

/// As another node will, when this one is the given side of a connection.
result<void> check_chain(SSL_CTX* with, const tls_files& files,
                         const char* side) {
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> chain{
      X509_STORE_CTX_new(), X509_STORE_CTX_free};
  STACK_OF(X509)* between = nullptr;
  SSL_CTX_get0_chain_certs(with, &between);
  if (!chain
      || X509_STORE_CTX_init(chain.get(), SSL_CTX_get_cert_store(with),
                             SSL_CTX_get0_certificate(with), between)
             != 1
      || X509_STORE_CTX_set_default(chain.get(), side) != 1)
    return wrong("certificate", files.certificate + " cannot be checked");
  if (X509_verify_cert(chain.get()) != 1)
    return wrong("certificate", files.certificate
                                    + " is not good with the CA of " + files.ca
                                    + ": "
                                    + X509_verify_cert_error_string(
                                        X509_STORE_CTX_get_error(chain.get())));
  return {};
}

result<void> check_own(SSL_CTX* with, const tls_files& files,
                       const std::string& host) {
  for (const auto* side : {"ssl_server", "ssl_client"})
    if (auto fine = check_chain(with, files, side); !fine)
      return fine;
  auto* own = SSL_CTX_get0_certificate(with);
  if (!bears_role(*own))
    return wrong("certificate", files.certificate + " is not a node's: the URI "
                                    + cluster::node_role
                                    + " is not among its alternative names");
  if (X509_check_ip_asc(own, host.c_str(), 0) != 1
      && X509_check_host(own, host.c_str(), host.size(), 0, nullptr) != 1)
    return wrong("certificate",
                 files.certificate + " is not for " + host
                     + ", by which the other members know this node");
  return {};
}

} // namespace

void tls_credentials::freed::operator()(SSL_CTX* context) const {
  SSL_CTX_free(context);
}

tls_credentials::tls_credentials(context_ptr context)
    : context_(std::move(context)) {}

tls_credentials::context_ptr tls_credentials::make_context() {
  context_ptr made{SSL_CTX_new(TLS_method())};
  if (!made || SSL_CTX_set_min_proto_version(made.get(), TLS1_3_VERSION) != 1
      || SSL_CTX_set_num_tickets(made.get(), 0) != 1)
    return nullptr;
  SSL_CTX_set_security_level(made.get(), security_level);
  // Each connection proves anew who it is.
  SSL_CTX_set_session_cache_mode(made.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(made.get(),
                     SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     check_role);
  return made;
}

result<tls_credentials_ptr> tls_credentials::load(const tls_files& files,
                                                  const std::string& host) {
  auto context = make_context();
  if (!context)
    return fail(errc::internal, "OpenSSL has no TLS 1.3");
  if (auto fine = read_files(context.get(), files); !fine)
    return std::unexpected(fine.error());
  if (auto fine = check_own(context.get(), files, host); !fine)
    return std::unexpected(fine.error());
  return tls_credentials_ptr(new tls_credentials(std::move(context)));
}

} // namespace muster::runtime
