#include "actors/core/model/config_records.hpp"

/// Formal versions of configs, and the trimming of history.
namespace muster::model {

namespace {

/// Adds `delta` (1 or -1) to a namespace's count of formal configs.
void count_configs(const apply_step& step, const std::string& space,
                   int delta) {
  const auto key = key_codec::encode(space);
  std::uint64_t count = 0;
  if (const auto stored = step.state.get(table_id::config_count, key))
    count = parse_count(*stored);
  count += static_cast<std::uint64_t>(delta);
  if (count == 0)
    step.state.erase(table_id::config_count, key);
  else
    step.state.put(table_id::config_count, key, key_codec::encode(count));
}

/// The record a publish leaves behind. `stored` is null for an insert.
pb::ConfigRecord to_record(const apply_step& step,
                           const pb::ConfigPublish& command,
                           const pb::ConfigRecord* stored) {
  pb::ConfigRecord record;
  record.set_id(stored ? stored->id() : step.new_id());
  record.set_content(command.content());
  record.set_md5(command.md5());
  record.set_type(command.type());
  if (command.has_app_name())
    record.set_app_name(command.app_name());
  else if (stored)
    record.set_app_name(stored->app_name());
  if (command.has_tags())
    record.set_tags(command.tags());
  else if (stored)
    record.set_tags(stored->tags());
  record.set_description(command.description());
  record.set_usage(command.usage());
  record.set_effect(command.effect());
  record.set_schema(command.schema());
  record.set_encrypted_data_key(command.encrypted_data_key());
  record.set_user(command.user());
  record.set_source_ip(command.source_ip());
  record.set_create_time_ms(stored ? stored->create_time_ms() : step.time_ms);
  record.set_modify_time_ms(step.time_ms);
  record.set_revision(step.index.value);
  return record;
}

/// Stores the first formal version; the row of history holds the new content.
void insert(const apply_step& step, const std::string& key,
            const pb::ConfigPublish& command, const pb::ConfigRecord& record) {
  config_table::put(step.state, key, record);
  step.state.put(table_id::config_by_id, key_codec::encode(record.id()), key);
  count_configs(step, command.key().namespace_id(), 1);
  auto copy = record;
  write_history(step, key, "I", command.user(), command.source_ip(),
                to_history(std::move(copy)));
}

} // namespace

applied apply_to(const apply_step& step, const pb::ConfigPublish& command) {
  const auto key = key_of(command.key());
  auto stored = config_table::get(step.state, key);
  if (stored && !command.cas_md5().empty()
      && command.cas_md5() != stored->md5())
    return step.refuse(errc::aborted, "the stored md5 is another one");
  auto record = to_record(step, command, stored ? &*stored : nullptr);
  // Without a formal version nothing says whether there are grays.
  loaded_grays grays;
  if (!stored || stored->gray_count() > 0)
    grays = load_grays(step.state, key);
  record.set_gray_count(static_cast<std::uint32_t>(grays.list.size()));

  config_changed change;
  change.created = !stored;
  change.content_changed = !stored || stored->content() != record.content();
  if (stored) {
    config_table::put(step.state, key, record);
    write_history(step, key, "U", command.user(), command.source_ip(),
                  to_history(std::move(*stored)));
  } else {
    insert(step, key, command, record);
  }

  auto out = step.done(record.id(), !change.created);
  change.key = to_config_key(command.key());
  change.now = make_snapshot(change.key, step.index.value,
                             to_version(std::move(record)), std::move(grays));
  step.tell(out, std::move(change));
  return out;
}

applied apply_to(const apply_step& step, const pb::ConfigRemove& command) {
  const auto key = key_of(command.key());
  auto stored = config_table::get(step.state, key);
  if (!stored)
    return step.done(0, false);
  const auto id = stored->id();
  const bool has_grays = stored->gray_count() > 0;
  config_table::erase(step.state, key);
  step.state.erase(table_id::config_by_id, key_codec::encode(id));
  count_configs(step, command.key().namespace_id(), -1);
  write_history(step, key, "D", command.user(), command.source_ip(),
                to_history(std::move(*stored)));
  if (has_grays)
    touch_a_gray(step, key);

  auto out = step.done(id, true);
  config_changed change;
  change.key = to_config_key(command.key());
  change.content_changed = true;
  change.removed = true;
  if (has_grays)
    change.now = make_snapshot(change.key, step.index.value, nullptr,
                               load_grays(step.state, key));
  step.tell(out, std::move(change));
  return out;
}

applied apply_to(const apply_step& step, const pb::HistoryTrim& command) {
  struct old_row {
    std::string index_key;
    std::string row_key;
  };
  std::vector<old_row> rows;
  if (command.limit() > 0)
    step.state.scan(
        table_id::history_by_time, {},
        [&](std::string_view key, std::string_view config) {
          std::uint64_t time_ms = 0;
          std::uint64_t nid = 0;
          if (!key_codec::decode(key, time_ms, nid))
            throw state_error{{errc::data_loss, "history time does not parse"}};
          if (time_ms >= command.before_ms())
            return false;
          rows.push_back({std::string(key), history_key(config, nid)});
          return rows.size() < command.limit();
        });
  for (const auto& row : rows) {
    step.state.erase(table_id::history_by_time, row.index_key);
    history_table::erase(step.state, row.row_key);
  }
  return step.done(0, !rows.empty());
}

} // namespace muster::model
