// Bytes of a gRPC message: the envelope, then what the dispatch decodes of it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocols/common/json.hpp"
#include "protocols/nacos/codec/instance_json.hpp"
#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/grpc/members.hpp"
#include "protocols/nacos/grpc/message_table.hpp"
#include "protocols/nacos/grpc/pattern.hpp"
#include "protocols/nacos/grpc/payload.hpp"
#include "protocols/nacos/grpc/unary.hpp"

using namespace muster;
using namespace muster::nacos;

namespace {

/// What handlers read of a body, each member as each kind.
void read_members(const boost::json::object& object) {
  remote::members in(object);
  for (const auto* name : {"dataId", "group", "tenant", "content", "requestId",
                           "namespace", "serviceName", "groupName", "type"})
    static_cast<void>(in.text(name));
  static_cast<void>(in.number("resultCode", 200));
  static_cast<void>(in.number("pageSize", 1));
  static_cast<void>(in.flag("listen", true));
  static_cast<void>(in.array("configListenContexts"));
  if (const auto* instance = in.object("instance"))
    if (const auto parsed = parse_instance(*instance))
      static_cast<void>(check_instance(*parsed));
  const auto pattern = remote::parse_pattern(in.text_or("groupKeyPattern"));
  static_cast<void>(pattern.names.matches("group", "name"));
  static_cast<void>(remote::parse_config_group_key(in.text_or("groupKey")));
  static_cast<void>(remote::parse_service_group_key(in.text_or("serviceKey")));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  static_cast<void>(remote::unescaped_size(bytes));
  const auto wire = remote::parse_envelope(bytes);
  if (!wire)
    return 0;
  static_cast<void>(remote::find_message_type(wire->type));
  static_cast<void>(wire->header("Vipserver-Tag"));
  if (const auto body = common::parse_json(wire->body))
    if (const auto* object = body->if_object())
      read_members(*object);
  return 0;
}
