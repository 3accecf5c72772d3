#include "actors/core/model/apply_step.hpp"

namespace muster::model {

applied apply_to(const apply_step& step, const pb::NamespacePut& command) {
  const auto key = key_codec::encode(command.id());
  auto record = namespace_table::get(step.state, key);
  const bool existed = record.has_value();
  if (command.mode() == pb::NamespacePut::CREATE) {
    if (existed || command.id() == public_namespace)
      return step.refuse(errc::already_exists,
                         "namespace " + command.id() + " exists");
    record.emplace().set_create_time_ms(step.time_ms);
  } else if (!existed) {
    // An update of an unknown namespace is taken and has no effect (Nacos);
    // this holds for `public` too, which has no record.
    return step.done(0, false);
  }
  record->set_name(command.name());
  record->set_description(command.description());
  record->set_revision(step.index.value);
  namespace_table::put(step.state, key, *record);
  auto out = step.done(0, existed);
  step.tell(out, namespace_changed{command.id(), false});
  return out;
}

applied apply_to(const apply_step& step, const pb::NamespaceRemove& command) {
  const auto key = key_codec::encode(command.id());
  if (!step.state.get(table_id::name_space, key))
    return step.done(0, false);
  namespace_table::erase(step.state, key);
  auto out = step.done(0, true);
  step.tell(out, namespace_changed{command.id(), true});
  return out;
}

} // namespace muster::model
