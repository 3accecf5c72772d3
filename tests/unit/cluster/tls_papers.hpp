#pragma once

#include <chrono>
#include <fstream>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "actors/core/cluster/node_role.hpp"
#include "actors/runtime/tls_credentials.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tools/musterctl/certificates.hpp"

namespace muster::test {

template <class T>
T made(result<T> what) {
  REQUIRE_MESSAGE(what.has_value(), what.error().message);
  return std::move(*what);
}

/// A CA and what it signs, in files of their own.
class tls_papers {
public:
  static ctl::validity from_to(int first_day, int last_day) {
    const auto now = system_clock().wall();
    return {now + std::chrono::days(first_day),
            now + std::chrono::days(last_day)};
  }
  static ctl::subject node_at(const std::string& host) {
    return {"node", {host}, {cluster::node_role}};
  }

  ctl::identity signs(const ctl::subject& whom,
                      const ctl::validity& when = from_to(-1, 10)) const {
    return made(ctl::issue(whom, when, &ca_));
  }

  std::string file(const std::string& text) const {
    auto path = (at_.path() / std::to_string(++files_)).string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  runtime::tls_files files_of(const ctl::identity& whom) const {
    return {file(made(ctl::to_pem(*ca_.certificate))),
            file(made(ctl::to_pem(*whom.certificate))),
            file(made(ctl::to_pem(*whom.key)))};
  }

  /// Of a good node.
  runtime::tls_credentials_ptr
  node(const std::string& host = "127.0.0.1") const {
    return made(
        runtime::tls_credentials::load(files_of(signs(node_at(host))), host));
  }

private:
  temporary_directory at_;
  mutable int files_ = 0;
  ctl::identity ca_ = made(ctl::make_authority("CA", from_to(-30, 30)));
};

} // namespace muster::test
