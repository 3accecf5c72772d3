#include "protocols/common/route.hpp"

#include "protocols/common/json_out.hpp"
#include "protocols/common/status_text.hpp"

namespace muster::common {

unsigned status_of(refusal_kind kind) noexcept {
  switch (kind) {
  case refusal_kind::malformed:
    return 400;
  case refusal_kind::forbidden:
    return 403;
  case refusal_kind::not_found:
    return 404;
  case refusal_kind::wrong_method:
    return 405;
  case refusal_kind::timed_out:
    return 408;
  case refusal_kind::switched_off:
    return 410;
  case refusal_kind::body_too_large:
    return 413;
  case refusal_kind::target_too_long:
    return 414;
  case refusal_kind::head_too_large:
    return 431;
  case refusal_kind::failed:
    return 500;
  case refusal_kind::unsupported:
    return 501;
  case refusal_kind::busy:
    return 503;
  }
  return 500;
}

http::response plain_refusal(const refusal& why, const http::request& request) {
  const auto status = status_of(why.kind);
  std::string body;
  json_out(body)
      .object()
      .member("status", status)
      .member("error", http::status_text(status))
      .member("message", why.detail)
      .member("path", request.path)
      .end();
  return http::reply(status, "application/json", std::move(body));
}

} // namespace muster::common
