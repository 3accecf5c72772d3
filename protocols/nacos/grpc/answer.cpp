#include "protocols/nacos/grpc/answer.hpp"

#include "protocols/common/json_out.hpp"

namespace muster::nacos::remote {

namespace {

std::string failed_body(code what, std::string_view text,
                        std::string_view members) {
  std::string out = R"({"resultCode":500,"errorCode":)";
  out += std::to_string(static_cast<std::int32_t>(what));
  out += R"(,"message":)";
  common::append_json_string(out, text);
  if (!members.empty())
    out.append(",").append(members);
  out += R"(,"success":false})";
  return out;
}

} // namespace

reply success(std::string_view type, std::string_view members) {
  std::string out;
  out.reserve(members.size() + 64);
  out += R"({"resultCode":200,"errorCode":0)";
  if (!members.empty())
    out.append(",").append(members);
  out += R"(,"success":true})";
  return {.type = type, .body = std::move(out)};
}

reply failure(std::string_view type, code what, std::string_view text,
              std::string_view members) {
  return {.type = type,
          .body = failed_body(what, text, members),
          .failed = true};
}

reply refusal(code what, std::string_view text) {
  return failure("ErrorResponse", what, text);
}

code to_code(errc what) noexcept {
  switch (what) {
    case errc::ok: return code::ok;
    case errc::invalid_argument:
    case errc::out_of_range:
    case errc::failed_precondition: return code::invalid;
    case errc::permission_denied:
    case errc::unauthenticated: return code::forbidden;
    case errc::not_found: return code::not_found;
    case errc::already_exists: return code::conflict;
    case errc::unimplemented: return code::unimplemented;
    case errc::resource_exhausted: return code::busy;
    case errc::aborted:
    case errc::cancelled:
    case errc::data_loss:
    case errc::deadline_exceeded:
    case errc::internal:
    case errc::unavailable:
    case errc::unknown: return code::server;
  }
  return code::server;
}

} // namespace muster::nacos::remote
