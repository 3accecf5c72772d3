#include "actors/core/naming/change_rules.hpp"

namespace muster::naming {

namespace {

decided refuse(errc code, std::string message) {
  decided out;
  out.code = code;
  out.message = std::move(message);
  return out;
}

std::variant<decided, command_ptr> prepare_put(const service_core& core,
                                               const command_ptr& command) {
  const auto& put = command->service_put();
  const auto name = core.key().group + "@@" + core.key().service;
  if (put.mode() == pb::ServicePut::CREATE && core.kind_fixed())
    return refuse(errc::already_exists,
                  "specified service " + name + " already exists!");
  if (put.mode() == pb::ServicePut::UPDATE && !core.kind_fixed())
    return refuse(errc::not_found, "service " + name + " not found!");
  if (!core.kind_fixed() || core.has_record())
    return command;
  // The first record of a service that registrations made: its kind stays.
  auto completed = std::make_shared<pb::Command>(*command);
  auto& record = *completed->mutable_service_put();
  record.mutable_record()->set_ephemeral(core.ephemeral());
  if (put.mode() == pb::ServicePut::UPDATE)
    record.set_mode(pb::ServicePut::UPSERT);
  return completed;
}

std::variant<decided, command_ptr> prepare_remove(service_core& core,
                                                  const command_ptr& command,
                                                  steady_time now) {
  const auto name = core.key().group + "@@" + core.key().service;
  if (core.has_hosts())
    return refuse(errc::failed_precondition,
                  "service " + name
                    + " is not empty, can't be delete. Please unregister "
                      "instance first");
  if (!core.kind_fixed())
    return refuse(errc::not_found, "service " + name + " not found!");
  if (core.has_record())
    return command;
  core.forget(now);
  decided out;
  out.existed = true;
  return out;
}

/// The service a command is about, or null.
const pb::ServiceKey* key_of(const pb::Command& c) {
  switch (c.body_case()) {
    case pb::Command::kServicePut:
      return &c.service_put().key();
    case pb::Command::kServiceRemove:
      return &c.service_remove().key();
    case pb::Command::kInstancePut:
      return &c.instance_put().key();
    case pb::Command::kInstanceRemove:
      return &c.instance_remove().key();
    case pb::Command::kOverridePut:
      return &c.override_put().key();
    case pb::Command::kOverrideRemove:
      return &c.override_remove().key();
    default:
      return nullptr;
  }
}

} // namespace

std::variant<decided, command_ptr>
prepare_change(service_core& core, const command_ptr& command,
               steady_time now) {
  const auto* key = command ? key_of(*command) : nullptr;
  if (!key || key->namespace_id() != core.key().space
      || key->group() != core.key().group
      || key->service() != core.key().service)
    return refuse(errc::invalid_argument,
                  "the command is not about this service");
  switch (command->body_case()) {
    case pb::Command::kServicePut:
      return prepare_put(core, command);
    case pb::Command::kServiceRemove:
      return prepare_remove(core, command, now);
    case pb::Command::kInstancePut:
      if (core.kind_fixed() && core.ephemeral())
        return refuse(errc::failed_precondition,
                      kind_refusal(core.key(), true));
      return command;
    default:
      return command;
  }
}

bool fixes_kind(const pb::Command& command) {
  return command.has_service_put() || command.has_instance_put();
}

} // namespace muster::naming
