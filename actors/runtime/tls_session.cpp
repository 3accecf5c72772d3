#include "actors/runtime/tls_session.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace muster::runtime {

namespace {

/// Said by the side that was connected to, once it believes the other. Its
/// value is that of the version of what follows.
constexpr char welcome = 1;

std::string why_failed(const SSL* ssl, int ssl_error) {
  const auto verified = SSL_get_verify_result(ssl);
  if (verified == X509_V_ERR_APPLICATION_VERIFICATION)
    return "its certificate is not a node's";
  if (verified != X509_V_OK)
    return std::string("its certificate is not good: ")
           + X509_verify_cert_error_string(verified);
  const auto first = ERR_peek_error();
  const auto* reason = ERR_reason_error_string(first);
  if (ssl_error == SSL_ERROR_SSL && reason != nullptr
      && ERR_GET_REASON(first) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return std::string("TLS: ") + reason;
  return "it closed the connection";
}

} // namespace

void tls_session::freed::operator()(SSL* what) const {
  SSL_free(what);
}

std::unique_ptr<tls_session> tls_session::to(const tls_credentials& own, int fd,
                                             const std::string& host) {
  ssl_ptr ssl{SSL_new(own.context())};
  // Takes an IP address for one.
  if (!ssl || SSL_set_fd(ssl.get(), fd) != 1
      || SSL_set1_host(ssl.get(), host.c_str()) != 1)
    return nullptr;
  SSL_set_connect_state(ssl.get());
  return std::unique_ptr<tls_session>(new tls_session(std::move(ssl)));
}

std::unique_ptr<tls_session> tls_session::from(const tls_credentials& own,
                                               int fd) {
  ssl_ptr ssl{SSL_new(own.context())};
  if (!ssl || SSL_set_fd(ssl.get(), fd) != 1)
    return nullptr;
  SSL_set_accept_state(ssl.get());
  return std::unique_ptr<tls_session>(new tls_session(std::move(ssl)));
}

tls_step tls_session::judge(int returned) {
  if (returned > 0)
    return tls_step::done;
  const auto what = SSL_get_error(ssl_.get(), returned);
  if (what == SSL_ERROR_WANT_READ)
    return tls_step::wants_read;
  if (what == SSL_ERROR_WANT_WRITE)
    return tls_step::wants_write;
  trouble_ = why_failed(ssl_.get(), what);
  return tls_step::failed;
}

tls_step tls_session::shake() {
  if (!proven_) {
    ERR_clear_error();
    const auto step = judge(SSL_do_handshake(ssl_.get()));
    if (step != tls_step::done)
      return step;
    proven_ = true;
  }
  std::size_t size = 0;
  if (SSL_is_server(ssl_.get()) == 1)
    return write(&welcome, sizeof welcome, size);
  char said = 0;
  const auto step = read(&said, sizeof said, size);
  if (step != tls_step::done || said == welcome)
    return step;
  trouble_ = "it speaks another version of the cluster protocol";
  return tls_step::failed;
}

tls_step tls_session::read(void* to, std::size_t size, std::size_t& got) {
  ERR_clear_error();
  return judge(SSL_read_ex(ssl_.get(), to, size, &got));
}

tls_step tls_session::write(const void* from, std::size_t size,
                            std::size_t& put) {
  ERR_clear_error();
  return judge(SSL_write_ex(ssl_.get(), from, size, &put));
}

bool tls_session::has_pending() const {
  return SSL_pending(ssl_.get()) > 0;
}

} // namespace muster::runtime
