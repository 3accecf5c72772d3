#include "actors/core/model/config_records.hpp"

/// Gray versions of configs.
namespace muster::model {

namespace {

constexpr std::uint32_t default_versions_max = 10;

std::uint32_t count_grays(const state_reader& state, std::string_view config) {
  std::uint32_t count = 0;
  scan_prefix(state, table_id::gray, config,
              [&](std::string_view, std::string_view) {
                ++count;
                return true;
              });
  return count;
}

pb::GrayRecord to_record(const apply_step& step, const pb::GrayPublish& command,
                         const pb::GrayRecord* stored) {
  pb::GrayRecord record;
  record.set_id(stored ? stored->id() : step.new_id());
  record.set_rule_type(command.rule_type());
  record.set_rule_version(command.rule_version());
  record.set_expression(command.expression());
  record.set_priority(command.priority());
  record.set_content(command.content());
  record.set_md5(command.md5());
  record.set_type(command.type());
  record.set_app_name(command.app_name());
  record.set_encrypted_data_key(command.encrypted_data_key());
  record.set_user(command.user());
  record.set_source_ip(command.source_ip());
  record.set_create_time_ms(stored ? stored->create_time_ms() : step.time_ms);
  record.set_modify_time_ms(step.time_ms);
  record.set_revision(step.index.value);
  return record;
}

/// Keeps the formal record's count of grays, and with it the revision: after a
/// gray is gone no other record would tell of the change. Without a formal
/// version one of the grays left carries it.
void note_in_formal(const apply_step& step, const std::string& config,
                    int delta) {
  auto formal = config_table::get(step.state, config);
  if (!formal) {
    if (delta < 0)
      touch_a_gray(step, config);
    return;
  }
  formal->set_gray_count(formal->gray_count()
                         + static_cast<std::uint32_t>(delta));
  formal->set_revision(step.index.value);
  config_table::put(step.state, config, *formal);
}

void tell_change(const apply_step& step, const pb::ConfigKey& key,
                 bool content_changed, applied& out) {
  config_changed change;
  change.key = to_config_key(key);
  change.now = load_config(step.state, change.key);
  change.content_changed = content_changed;
  step.tell(out, std::move(change));
}

} // namespace

bool same_delivery(const pb::GrayRecord& a, const pb::GrayRecord& b) {
  return a.content() == b.content() && a.rule_type() == b.rule_type()
         && a.rule_version() == b.rule_version()
         && a.expression() == b.expression() && a.priority() == b.priority();
}

void touch_a_gray(const apply_step& step, std::string_view config) {
  std::string key;
  std::optional<pb::GrayRecord> record;
  scan_prefix(step.state, table_id::gray, config,
              [&](std::string_view found, std::string_view value) {
                key = found;
                record = gray_table::parse(value);
                return false;
              });
  if (!record)
    return;
  record->set_revision(step.index.value);
  gray_table::put(step.state, key, *record);
}

applied apply_to(const apply_step& step, const pb::GrayPublish& command) {
  const auto config = key_of(command.key());
  const auto key = gray_key(config, command.name());
  auto stored = gray_table::get(step.state, key);
  const auto versions_max = command.max_versions() > 0 ? command.max_versions()
                                                       : default_versions_max;
  if (!stored && count_grays(step.state, config) >= versions_max)
    return step.refuse(errc::out_of_range,
                       "gray config version is over max count :"
                           + std::to_string(versions_max));
  auto record = to_record(step, command, stored ? &*stored : nullptr);
  const bool existed = stored.has_value();
  const bool content_changed = !existed || !same_delivery(*stored, record);
  gray_table::put(step.state, key, record);
  auto out = step.done(record.id(), existed);
  auto& told = existed ? *stored : record;
  write_history(step, config, existed ? "U" : "I", command.user(),
                command.source_ip(),
                to_history(std::move(told), command.name()));
  if (!existed)
    note_in_formal(step, config, 1);
  tell_change(step, command.key(), content_changed, out);
  return out;
}

applied apply_to(const apply_step& step, const pb::GrayRemove& command) {
  const auto config = key_of(command.key());
  const auto key = gray_key(config, command.name());
  auto stored = gray_table::get(step.state, key);
  if (!stored)
    return step.done(0, false);
  gray_table::erase(step.state, key);
  auto out = step.done(stored->id(), true);
  write_history(step, config, "D", command.user(), command.source_ip(),
                to_history(std::move(*stored), command.name()));
  note_in_formal(step, config, -1);
  tell_change(step, command.key(), true, out);
  return out;
}

} // namespace muster::model
