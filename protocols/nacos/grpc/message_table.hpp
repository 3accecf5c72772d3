#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include "actors/api/node.hpp"
#include "protocols/common/route.hpp"
#include "protocols/nacos/codec/request_rules.hpp"
#include "protocols/nacos/grpc/answer.hpp"
#include "protocols/nacos/grpc/client.hpp"
#include "protocols/nacos/grpc/fuzzy_limits.hpp"
#include "protocols/nacos/grpc/payload.hpp"

/// One declarative table of all message types, like a product's HTTP routes:
/// dispatch, permissions and metric labels are made from it.
namespace muster::nacos::remote {

struct message_type;

/// What a handler works with. Lives until its answer was given.
struct request {
  const message_type& type;
  api::node& node;
  client& from;
  fuzzy_limits& limits;
  const request_rules& rules;
  const envelope& wire;
  const boost::json::object& body;
  api::request_meta meta;
};

/// Answers at once; nothing = ask the other handler.
using quick_handler = std::optional<reply> (*)(request&);
/// Runs on the thread the call came to and may ask actors.
using handler = boost::asio::awaitable<reply> (*)(request&);

/// Who may send a type: the port decides, not what the client says of itself.
enum class source : std::uint8_t { any, cluster };

struct message_type {
  std::string_view name;
  std::string_view answer; ///< type of the answer, of typed failures too
  source from = source::any;
  common::permission needs;
  quick_handler quick = nullptr;
  handler slow = nullptr;
  /// JSON members that strict clients want in failures (nacos-grpc 13.3).
  std::string_view failure_members = {};
};

std::span<const message_type> message_types() noexcept;
/// Null if no such type is served.
const message_type* find_message_type(std::string_view name) noexcept;

// -- the answers handlers give ------------------------------------------------

inline reply good(const request& r, std::string_view members = {}) {
  return success(r.type.answer, members);
}
inline reply bad(const request& r, code what, std::string_view text) {
  return failure(r.type.answer, what, text, r.type.failure_members);
}
inline reply bad(const request& r, const error& e) {
  return bad(r, to_code(e.code), e.message);
}
/// A member of the body has an impossible type.
inline reply malformed() {
  return refusal(code::malformed, "the body is not a request of this type");
}

} // namespace muster::nacos::remote
