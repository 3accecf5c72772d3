// musterctl tls init: what is made, and that nothing is overwritten.
#include <doctest/doctest.h>

#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <openssl/x509v3.h>

#include "actors/core/cluster/node_role.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tools/musterctl/certificates.hpp"
#include "tools/musterctl/tls_files.hpp"

using namespace muster;

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

ctl::identity pair_of(const fs::path& directory, const std::string& name) {
  auto read = ctl::identity_from_pem(text_of(directory / (name + ".crt")),
                                     text_of(directory / (name + ".key")));
  REQUIRE_MESSAGE(read.has_value(), read.error().message);
  return std::move(*read);
}

mode_t mode_of(const fs::path& path) {
  struct stat is {};
  REQUIRE(stat(path.c_str(), &is) == 0);
  return is.st_mode & 07777;
}

bool signed_by(const ctl::identity& whose, const ctl::identity& by) {
  return X509_verify(whose.certificate.get(), by.key.get()) == 1
         && X509_check_issued(by.certificate.get(), whose.certificate.get())
                == X509_V_OK;
}

bool has_uri(const X509& certificate, const std::string& wanted) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  bool found = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const auto* each = sk_GENERAL_NAME_value(names, i);
    if (each->type == GEN_URI)
      found = found
              || wanted
                     == reinterpret_cast<const char*>(ASN1_STRING_get0_data(
                         each->d.uniformResourceIdentifier));
  }
  GENERAL_NAMES_free(names);
  return found;
}

const auto now = system_clock().wall();

} // namespace

TEST_CASE("tls init: a CA, and for each node what only its owner can read") {
  const test::temporary_directory at;
  const auto in = at.path() / "tls";
  const auto made =
      ctl::make_tls_files({in, {"n1.example", "10.0.0.2", "::1"}}, now);
  REQUIRE_MESSAGE(made.has_value(), made.error().message);
  CHECK(mode_of(in) == 0700);
  const auto ca = pair_of(in, "ca");
  CHECK(X509_check_ca(ca.certificate.get()) == 1);
  for (const std::string name : {"n1.example", "10.0.0.2", "::1"}) {
    CAPTURE(name);
    CHECK(mode_of(in / (name + ".key")) == 0600);
    CHECK(mode_of(in / (name + ".crt")) == 0600);
    const auto node = pair_of(in, name);
    CHECK(signed_by(node, ca));
    CHECK(X509_check_ca(node.certificate.get()) == 0);
    CHECK(has_uri(*node.certificate, cluster::node_role));
    CHECK(*ctl::valid_until(*node.certificate) > now + std::chrono::days(824));
  }
  CHECK(X509_check_host(pair_of(in, "n1.example").certificate.get(),
                        "n1.example", 0, 0, nullptr)
        == 1);
  CHECK(X509_check_ip_asc(pair_of(in, "::1").certificate.get(), "::1", 0) == 1);
  CHECK(X509_check_ip_asc(pair_of(in, "::1").certificate.get(), "10.0.0.2", 0)
        == 0);
}

TEST_CASE("tls init: further nodes get theirs of the same CA") {
  const test::temporary_directory at;
  const auto& in = at.path();
  REQUIRE(ctl::make_tls_files({in, {"n1"}}, now));
  const auto before = text_of(in / "ca.crt");
  REQUIRE(ctl::make_tls_files({in, {"n2", "n3"}, 10}, now));
  CHECK(text_of(in / "ca.crt") == before);
  const auto later = pair_of(in, "n3");
  CHECK(signed_by(later, pair_of(in, "ca")));
  CHECK(*ctl::valid_until(*later.certificate) <= now + std::chrono::days(10));
}

TEST_CASE("tls init: what is there stays as it is") {
  const test::temporary_directory at;
  const auto& in = at.path();
  REQUIRE(ctl::make_tls_files({in, {"n1"}}, now));
  const auto key = text_of(in / "n1.key");
  const auto again = ctl::make_tls_files({in, {"n2", "n1"}}, now);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == errc::already_exists);
  CHECK(text_of(in / "n1.key") == key);
  CHECK_FALSE(fs::exists(in / "n2.crt"));

  // Half a CA is no CA; a new one would lock out the nodes of the old one.
  fs::rename(in / "ca.key", in / "away");
  const auto half = ctl::make_tls_files({in, {"n2"}}, now);
  REQUIRE_FALSE(half);
  CHECK(half.error().message.find("ca.key is missing") != std::string::npos);
  std::ofstream(in / "ca.key") << "no key";
  const auto spoilt = ctl::make_tls_files({in, {"n2"}}, now);
  REQUIRE_FALSE(spoilt);
  CHECK(spoilt.error().message.find("the key is not PEM") != std::string::npos);
  fs::copy_file(in / "n1.key", in / "ca.key",
                fs::copy_options::overwrite_existing);
  const auto mixed = ctl::make_tls_files({in, {"n2"}}, now);
  REQUIRE_FALSE(mixed);
  CHECK(mixed.error().message.find("not that of") != std::string::npos);
  CHECK_FALSE(fs::exists(in / "n2.crt"));
}

TEST_CASE("tls init: what makes no sense is refused and makes nothing") {
  const test::temporary_directory at;
  const auto in = at.path() / "tls";
  const auto refused = [&](const ctl::tls_request& wanted) {
    const auto made = ctl::make_tls_files(wanted, now);
    return !made && made.error().code == errc::invalid_argument
           && !fs::exists(in);
  };
  CHECK(refused({"", {"n1"}}));
  CHECK(refused({in, {}}));
  for (const std::string name :
       {"", "..", "../n1", "a/b", "n1:8848", "a,DNS:b", "n 1", "-n", "ca"}) {
    CAPTURE(name);
    CHECK(refused({in, {name}}));
  }
  CHECK(refused({in, {"n1", "n1"}}));
  CHECK(refused({in, {"n1"}, 0}));
  CHECK(refused({in, {"n1"}, 4000}));
  const auto nowhere =
      ctl::make_tls_files({in / "deeper" / "still", {"n1"}}, now);
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().message.find("still") != std::string::npos);
  // Not past the end of its CA.
  REQUIRE(ctl::make_tls_files({in, {"n1"}}, now));
  const auto late =
      ctl::make_tls_files({in, {"n2"}, 825}, now + std::chrono::days(3000));
  REQUIRE_FALSE(late);
  CHECK(late.error().code == errc::failed_precondition);
}
