#include "tools/musterctl/certificates.hpp"

#include <arpa/inet.h>

#include <array>
#include <ctime>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "actors/core/base/ids.hpp"

namespace muster::ctl {

namespace {

using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;
using number_ptr = std::unique_ptr<BIGNUM, freed_by<BN_free>>;
using extension_ptr =
    std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>>;

/// Longest common name that X.509 allows (ub-common-name).
constexpr std::size_t common_name_max = 64;
constexpr int serial_bits = 127;

std::unexpected<error> failed(const std::string& what) {
  std::array<char, 256> why{};
  ERR_error_string_n(ERR_get_error(), why.data(), why.size());
  ERR_clear_error();
  return fail(errc::internal, what + ": " + why.data());
}

bool set_serial(X509& to) {
  const number_ptr serial{BN_new()};
  return serial
         && BN_rand(serial.get(), serial_bits, BN_RAND_TOP_ANY,
                    BN_RAND_BOTTOM_ANY)
                == 1
         && BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(&to))
                != nullptr;
}

bool set_time(ASN1_TIME* to, wall_time at) {
  return ASN1_TIME_set(to, std::chrono::system_clock::to_time_t(at)) != nullptr;
}

bool set_name(X509& to, const std::string& common_name) {
  auto* name = X509_get_subject_name(&to);
  const auto add = [name](const char* field, const std::string& text) {
    return X509_NAME_add_entry_by_txt(
               name, field, MBSTRING_UTF8,
               reinterpret_cast<const unsigned char*>(text.data()),
               static_cast<int>(text.size()), -1, 0)
           == 1;
  };
  return add("O", "Muster") && add("CN", common_name);
}

bool extend(X509& to, X509& by, int nid, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &by, &to, nullptr, nullptr, 0);
  const extension_ptr made{
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str())};
  return made && X509_add_ext(&to, made.get(), -1) == 1;
}

/// A certificate without extensions and signature, and its key.
result<identity> begin(const std::string& common_name, const validity& when) {
  if (common_name.empty() || common_name.size() > common_name_max)
    return fail(errc::invalid_argument, "a common name has 1 to "
                                            + std::to_string(common_name_max)
                                            + " bytes");
  identity out{certificate_ptr{X509_new()}, key_ptr{EVP_EC_gen("P-256")}};
  if (!out.certificate || !out.key)
    return failed("a key cannot be made");
  auto& to = *out.certificate;
  if (X509_set_version(&to, X509_VERSION_3) != 1 || !set_serial(to)
      || !set_time(X509_getm_notBefore(&to), when.from)
      || !set_time(X509_getm_notAfter(&to), when.until)
      || !set_name(to, common_name) || X509_set_pubkey(&to, out.key.get()) != 1)
    return failed("a certificate cannot be made");
  return out;
}

std::string alternative_names(const subject& whom) {
  std::string out;
  const auto add = [&out](const std::string& kind, const std::string& value) {
    out += (out.empty() ? "" : ",") + kind + ":" + value;
  };
  for (const auto& host : whom.hosts)
    add(is_ip_address(host) ? "IP" : "DNS", host);
  for (const auto& uri : whom.uris)
    add("URI", uri);
  return out;
}

template <class Write>
result<std::string> written(const Write& write) {
  const bio_ptr to{BIO_new(BIO_s_mem())};
  if (!to || write(to.get()) != 1)
    return failed("PEM cannot be written");
  char* data = nullptr;
  const auto size = BIO_get_mem_data(to.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

bio_ptr reading(const std::string& text) {
  return bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

/// In place of OpenSSL's own, which asks at the terminal.
int no_pass_phrase(char*, int, int, void*) {
  return 0;
}

} // namespace

bool is_ip_address(const std::string& text) {
  in6_addr any{};
  return inet_pton(AF_INET, text.c_str(), &any) == 1
         || inet_pton(AF_INET6, text.c_str(), &any) == 1;
}

result<identity> make_authority(const std::string& common_name,
                                const validity& when) {
  auto made = begin(common_name, when);
  if (!made)
    return made;
  auto& it = *made->certificate;
  if (X509_set_issuer_name(&it, X509_get_subject_name(&it)) != 1
      || !extend(it, it, NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
      || !extend(it, it, NID_key_usage, "critical,keyCertSign,cRLSign")
      || !extend(it, it, NID_subject_key_identifier, "hash")
      || X509_sign(&it, made->key.get(), EVP_sha256()) == 0)
    return failed("a CA cannot be made");
  return made;
}

result<identity> issue(const subject& whom, const validity& when,
                       const identity* by) {
  auto made = begin(whom.common_name, when);
  if (!made)
    return made;
  auto& it = *made->certificate;
  const auto& issuer = by != nullptr ? *by : *made;
  auto& signer = *issuer.certificate;
  const auto names = alternative_names(whom);
  if (X509_set_issuer_name(&it, X509_get_subject_name(&signer)) != 1
      || !extend(it, signer, NID_basic_constraints, "critical,CA:FALSE")
      || !extend(it, signer, NID_key_usage, "critical,digitalSignature")
      || !extend(it, signer, NID_ext_key_usage, "serverAuth,clientAuth")
      || !extend(it, signer, NID_subject_key_identifier, "hash")
      || (by != nullptr
          && !extend(it, signer, NID_authority_key_identifier, "keyid:always"))
      || (!names.empty() && !extend(it, signer, NID_subject_alt_name, names))
      || X509_sign(&it, issuer.key.get(), EVP_sha256()) == 0)
    return failed("a certificate for " + whom.common_name + " cannot be made");
  return made;
}

result<wall_time> valid_until(const X509& certificate) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &fields) != 1)
    return failed("the end of a certificate cannot be read");
  return std::chrono::time_point_cast<milliseconds>(
      std::chrono::system_clock::from_time_t(timegm(&fields)));
}

result<std::string> to_pem(const X509& certificate) {
  return written([&](BIO* to) { return PEM_write_bio_X509(to, &certificate); });
}

result<std::string> to_pem(const EVP_PKEY& key) {
  return written([&](BIO* to) {
    return PEM_write_bio_PrivateKey(to, &key, nullptr, nullptr, 0, nullptr,
                                    nullptr);
  });
}

result<identity> identity_from_pem(const std::string& certificate,
                                   const std::string& key) {
  identity out{
      certificate_ptr{PEM_read_bio_X509(reading(certificate).get(), nullptr,
                                        no_pass_phrase, nullptr)},
      key_ptr{PEM_read_bio_PrivateKey(reading(key).get(), nullptr,
                                      no_pass_phrase, nullptr)}};
  const auto fits =
      out.certificate && out.key
      && X509_check_private_key(out.certificate.get(), out.key.get()) == 1;
  ERR_clear_error();
  if (!out.certificate)
    return fail(errc::invalid_argument, "the certificate is not PEM");
  if (!out.key)
    return fail(errc::invalid_argument,
                "the key is not PEM, or has a pass phrase");
  if (!fits)
    return fail(errc::invalid_argument,
                "the key is not that of the certificate");
  return out;
}

} // namespace muster::ctl
