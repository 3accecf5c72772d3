#include "actors/core/model/check.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "actors/core/model/tables.hpp"

namespace muster::model {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

/// Length of the well-formed sequence at the front; 0 = there is none.
/// Source: Unicode 15, table 3-7.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto within = [](unsigned b, unsigned low, unsigned high) {
    return low <= b && b <= high;
  };
  const auto tail = [&](std::size_t i) { return within(byte(i), 0x80, 0xBF); };
  const unsigned first = byte(0);
  if (first < 0x80)
    return 1;
  if (within(first, 0xC2, 0xDF))
    return tail(1) ? 2 : 0;
  if (within(first, 0xE0, 0xEF)) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return within(byte(1), low, high) && tail(2) ? 3 : 0;
  }
  if (within(first, 0xF0, 0xF4)) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return within(byte(1), low, high) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

/// Drops ASCII from the front, eight bytes at a time.
void skip_ascii(std::string_view& text) {
  std::uint64_t eight = 0;
  while (text.size() >= sizeof eight) {
    std::memcpy(&eight, text.data(), sizeof eight);
    if ((eight & 0x8080808080808080ULL) != 0)
      return;
    text.remove_prefix(sizeof eight);
  }
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    skip_ascii(text);
    if (text.empty())
      return true;
    const auto length = sequence_length(text);
    if (length == 0)
      return false;
    text.remove_prefix(length);
  }
  return true;
}

/// The first field at fault, or null. Absent texts are empty, so all fields are
/// visited, without asking which are set.
const FieldDescriptor* not_utf8(const Message& message) {
  const auto& fields = *message.GetDescriptor();
  const auto& access = *message.GetReflection();
  std::string scratch;
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto* field = fields.field(i);
    if (field->type() == FieldDescriptor::TYPE_STRING) {
      // Strings that are not in a map are never repeated here.
      if (!is_utf8(access.GetStringReference(message, field, &scratch)))
        return field;
    } else if (field->is_repeated()) {
      for (int n = access.FieldSize(message, field) - 1; n >= 0; --n)
        if (const auto* bad =
                not_utf8(access.GetRepeatedMessage(message, field, n)))
          return bad;
    } else if (field->type() == FieldDescriptor::TYPE_MESSAGE
               && access.HasField(message, field)) {
      if (const auto* bad = not_utf8(access.GetMessage(message, field)))
        return bad;
    }
  }
  return nullptr;
}

result<void> missing(const char* what) {
  return fail(errc::invalid_argument, std::string(what) + " is missing");
}

result<void> check(const pb::ConfigKey& key) {
  if (key.namespace_id().empty())
    return missing("namespace");
  if (key.group().empty())
    return missing("group");
  return key.data_id().empty() ? missing("dataId") : result<void>{};
}

result<void> check(const pb::ServiceKey& key) {
  if (key.namespace_id().empty())
    return missing("namespace");
  if (key.group().empty())
    return missing("group");
  return key.service().empty() ? missing("service") : result<void>{};
}

result<void> check(const pb::EnterCluster& command) {
  if (command.node() == 0)
    return missing("node");
  if (command.incarnation().empty())
    return missing("incarnation");
  if (command.founders_size() > members_max)
    return fail(errc::invalid_argument, "too many members");
  return command.cluster().empty() ? missing("cluster") : result<void>{};
}

result<void> check(const pb::MemberAdd& command) {
  if (command.member().node() == 0)
    return missing("node");
  const auto& at = command.member().address();
  if (at.host().empty())
    return missing("host");
  for (const auto port : {at.http_port(), at.sdk_port(), at.cluster_port()})
    if (port == 0 || port > 65535)
      return fail(errc::invalid_argument,
                  std::to_string(port) + " is no port");
  return {};
}

result<void> check(const pb::MemberChange& command) {
  if (!pb::MemberChange::Kind_IsValid(command.kind()))
    return fail(errc::invalid_argument, "unknown kind of change");
  return command.node() == 0 ? missing("node") : result<void>{};
}

result<void> check_key(const pb::Command& command) {
  switch (command.body_case()) {
  case pb::Command::kConfigPublish:
    return check(command.config_publish().key());
  case pb::Command::kConfigRemove:
    return check(command.config_remove().key());
  case pb::Command::kGrayPublish:
    return command.gray_publish().name().empty()
               ? missing("name of the gray version")
               : check(command.gray_publish().key());
  case pb::Command::kGrayRemove:
    return check(command.gray_remove().key());
  case pb::Command::kNamespacePut:
    return command.namespace_put().id().empty() ? missing("namespace")
                                                : result<void>{};
  case pb::Command::kServicePut:
    return check(command.service_put().key());
  case pb::Command::kServiceRemove:
    return check(command.service_remove().key());
  case pb::Command::kInstancePut:
    return check(command.instance_put().key());
  case pb::Command::kInstanceRemove:
    return check(command.instance_remove().key());
  case pb::Command::kOverridePut:
    return check(command.override_put().key());
  case pb::Command::kOverrideRemove:
    return check(command.override_remove().key());
  case pb::Command::kEnterCluster:
    return check(command.enter_cluster());
  case pb::Command::kMemberAdd:
    return check(command.member_add());
  case pb::Command::kMemberChange:
    return check(command.member_change());
  case pb::Command::kHistoryTrim:
  case pb::Command::kNamespaceRemove:
    return {};
  case pb::Command::BODY_NOT_SET:
    break;
  }
  return missing("body of the command");
}

} // namespace

result<void> check_command(const pb::Command& command) {
  if (auto fine = check_key(command); !fine)
    return fine;
  // The body is the only message in a command, which has no texts itself.
  const auto& access = *command.GetReflection();
  const auto* body = access.GetOneofFieldDescriptor(
      command, command.GetDescriptor()->FindOneofByName("body"));
  if (const auto* field = not_utf8(access.GetMessage(command, body)))
    return fail(errc::invalid_argument, field->name() + " is not UTF-8");
  return {};
}

} // namespace muster::model
