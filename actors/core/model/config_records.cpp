#include "actors/core/model/config_records.hpp"

#include <algorithm>
#include <cstdio>

namespace muster::model {

namespace {

/// JSON string literal. Bytes above 0x7f pass: the texts are UTF-8.
void append_json(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x",
                    static_cast<unsigned>(c));
      out += escaped;
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

/// A gray's rule in the form Nacos shows it: type, version, expr, priority.
std::string rule_json(const pb::GrayRecord& record) {
  std::string out = "{\"type\":";
  append_json(out, record.rule_type());
  out += ",\"version\":";
  append_json(out, record.rule_version());
  out += ",\"expr\":";
  append_json(out, record.expression());
  out += ",\"priority\":" + std::to_string(record.priority()) + "}";
  return out;
}

std::shared_ptr<const gray_version> to_gray(pb::GrayRecord&& record,
                                            std::string name) {
  auto gray = std::make_shared<gray_version>();
  gray->name = std::move(name);
  gray->rule_type = std::move(*record.mutable_rule_type());
  gray->expression = std::move(*record.mutable_expression());
  gray->priority = record.priority();
  auto& body = gray->body;
  body.id = record.id();
  body.content = std::move(*record.mutable_content());
  body.md5 = std::move(*record.mutable_md5());
  body.type = std::move(*record.mutable_type());
  body.app_name = std::move(*record.mutable_app_name());
  body.encrypted_data_key = std::move(*record.mutable_encrypted_data_key());
  body.modify_time_ms = record.modify_time_ms();
  return gray;
}

/// What both kinds of version have in common.
template <class Record>
pb::HistoryRecord common_history(Record& record) {
  pb::HistoryRecord row;
  row.set_content(std::move(*record.mutable_content()));
  row.set_md5(std::move(*record.mutable_md5()));
  row.set_type(std::move(*record.mutable_type()));
  row.set_app_name(std::move(*record.mutable_app_name()));
  row.set_encrypted_data_key(std::move(*record.mutable_encrypted_data_key()));
  row.set_create_time_ms(record.create_time_ms());
  return row;
}

} // namespace

loaded_grays load_grays(const state_reader& state, std::string_view config) {
  loaded_grays grays;
  scan_prefix(
      state, table_id::gray, config,
      [&](std::string_view key, std::string_view value) {
        std::string name;
        if (!key_codec::decode(key.substr(config.size()), name))
          throw state_error{{errc::data_loss, "gray key does not parse"}};
        auto record = gray_table::parse(value);
        grays.revision = std::max(grays.revision, record.revision());
        grays.list.push_back(to_gray(std::move(record), std::move(name)));
        return true;
      });
  // The scan is in name order, which a stable sort keeps among equals.
  std::ranges::stable_sort(grays.list, std::ranges::greater{},
                           [](const auto& gray) { return gray->priority; });
  return grays;
}

std::shared_ptr<const config_version> to_version(pb::ConfigRecord&& record) {
  auto version = std::make_shared<config_version>();
  version->id = record.id();
  version->content = std::move(*record.mutable_content());
  version->md5 = std::move(*record.mutable_md5());
  version->type = std::move(*record.mutable_type());
  version->app_name = std::move(*record.mutable_app_name());
  version->encrypted_data_key = std::move(*record.mutable_encrypted_data_key());
  version->modify_time_ms = record.modify_time_ms();
  return version;
}

config_snapshot_ptr make_snapshot(config_key key, std::uint64_t revision,
                                  std::shared_ptr<const config_version> formal,
                                  loaded_grays grays) {
  if (!formal && grays.list.empty())
    return nullptr;
  auto snapshot = std::make_shared<config_snapshot>();
  snapshot->key = std::move(key);
  snapshot->revision = std::max(revision, grays.revision);
  snapshot->formal = std::move(formal);
  snapshot->grays = std::move(grays.list);
  return snapshot;
}

pb::HistoryRecord to_history(pb::ConfigRecord&& record) {
  auto row = common_history(record);
  row.set_publish_type("formal");
  row.set_tags(std::move(*record.mutable_tags()));
  row.set_description(std::move(*record.mutable_description()));
  row.set_usage(std::move(*record.mutable_usage()));
  row.set_effect(std::move(*record.mutable_effect()));
  row.set_schema(std::move(*record.mutable_schema()));
  return row;
}

pb::HistoryRecord to_history(pb::GrayRecord&& record, std::string_view name) {
  auto row = common_history(record);
  row.set_publish_type("gray");
  row.set_gray_name(std::string(name));
  row.set_gray_rule(rule_json(record));
  return row;
}

void write_history(const apply_step& step, std::string_view config,
                   const char* op, const std::string& user,
                   const std::string& source_ip, pb::HistoryRecord row) {
  const auto nid = step.new_id();
  row.set_nid(nid);
  row.set_op(op);
  row.set_user(user);
  row.set_source_ip(source_ip);
  row.set_change_time_ms(step.time_ms);
  history_table::put(step.state, history_key(config, nid), row);
  step.state.put(table_id::history_by_time, history_time_key(step.time_ms, nid),
                 config);
}

config_snapshot_ptr load_config(const state_reader& state,
                                const config_key& key) {
  const auto bytes = key_of(key);
  auto record = config_table::get(state, bytes);
  loaded_grays grays;
  if (!record || record->gray_count() > 0)
    grays = load_grays(state, bytes);
  if (!record)
    return make_snapshot(key, 0, nullptr, std::move(grays));
  const auto revision = record->revision();
  return make_snapshot(key, revision, to_version(std::move(*record)),
                       std::move(grays));
}

} // namespace muster::model
