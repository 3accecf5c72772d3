#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <openssl/types.h>

#include "actors/runtime/tls_credentials.hpp"

namespace muster::runtime {

/// What became of one step, and what the socket must be ready for before the
/// next.
enum class tls_step : std::uint8_t { done, wants_read, wants_write, failed };

/// TLS over one non-blocking socket, which must outlive this object. One thread
/// at a time. The process ignores SIGPIPE, which OpenSSL may cause.
class tls_session {
public:
  /// For a connection that was made to `host`, whose certificate must bear that
  /// name or IP address. Null if memory is short.
  static std::unique_ptr<tls_session> to(const tls_credentials& own, int fd,
                                         const std::string& host);
  /// For a connection that came in.
  static std::unique_ptr<tls_session> from(const tls_credentials& own, int fd);

  /// Goes on with the handshake until it is `done`: then both sides have
  /// accepted each other's certificate. In TLS 1.3 the one that connects is
  /// ready before the other has looked at its certificate; so the one that was
  /// connected to says one byte, which this function sends and takes.
  tls_step shake();

  /// After the handshake. `got` and `put` are set if the step is `done`.
  tls_step read(void* to, std::size_t size, std::size_t& got);
  /// After `wants_write` to be repeated with the very same arguments.
  tls_step write(const void* from, std::size_t size, std::size_t& put);
  /// Whether a read brings something though the socket may have nothing.
  bool has_pending() const;

  /// Why the last step failed.
  const std::string& trouble() const { return trouble_; }

private:
  struct freed {
    void operator()(SSL* what) const;
  };
  using ssl_ptr = std::unique_ptr<SSL, freed>;

  explicit tls_session(ssl_ptr ssl) : ssl_(std::move(ssl)) {}
  tls_step judge(int returned);

  ssl_ptr ssl_;
  bool proven_ = false; ///< the handshake is over, the byte still due
  std::string trouble_;
};

} // namespace muster::runtime
