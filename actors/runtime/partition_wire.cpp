#include "actors/runtime/partition_wire.hpp"

#include <utility>

#include "actors/core/model/queries.hpp"

namespace muster::runtime {

namespace {

void put(const config_version& in, pb::ConfigVersion& out) {
  out.set_id(in.id);
  out.set_content(in.content);
  out.set_md5(in.md5);
  out.set_type(in.type);
  out.set_app_name(in.app_name);
  out.set_encrypted_data_key(in.encrypted_data_key);
  out.set_modify_time_ms(in.modify_time_ms);
}

config_version taken(pb::ConfigVersion& in) {
  return {.id = in.id(),
          .content = std::move(*in.mutable_content()),
          .md5 = std::move(*in.mutable_md5()),
          .type = std::move(*in.mutable_type()),
          .app_name = std::move(*in.mutable_app_name()),
          .encrypted_data_key = std::move(*in.mutable_encrypted_data_key()),
          .modify_time_ms = in.modify_time_ms()};
}

} // namespace

void to_wire(const config_key& in, pb::ConfigName& out) {
  out.set_space(in.space);
  out.set_group(in.group);
  out.set_data_id(in.data_id);
}

config_key from_wire(const pb::ConfigName& in) {
  return {in.space(), in.group(), in.data_id()};
}

void to_wire(const config_snapshot_ptr& in, pb::ConfigVersions& out) {
  if (!in)
    return;
  out.set_revision(in->revision);
  if (in->formal)
    put(*in->formal, *out.mutable_formal());
  for (const auto& each : in->grays) {
    auto& gray = *out.add_grays();
    gray.set_name(each->name);
    gray.set_rule_type(each->rule_type);
    gray.set_expression(each->expression);
    gray.set_priority(each->priority);
    put(each->body, *gray.mutable_body());
  }
}

config_snapshot_ptr from_wire(const config_key& key, pb::ConfigVersions in) {
  if (!in.has_formal() && in.grays().empty())
    return nullptr;
  auto out = std::make_shared<config_snapshot>();
  out->key = key;
  out->revision = in.revision();
  if (in.has_formal())
    out->formal =
        std::make_shared<const config_version>(taken(*in.mutable_formal()));
  for (auto& each : *in.mutable_grays())
    out->grays.push_back(std::make_shared<const gray_version>(
        gray_version{.name = std::move(*each.mutable_name()),
                     .rule_type = std::move(*each.mutable_rule_type()),
                     .expression = std::move(*each.mutable_expression()),
                     .priority = each.priority(),
                     .body = taken(*each.mutable_body())}));
  return out;
}

void to_wire(const api::config_names& in, pb::ConfigNames& out) {
  for (const auto& each : in.keys)
    to_wire(each, *out.add_names());
}

api::config_names from_wire(const pb::ConfigNames& in) {
  api::config_names out;
  for (const auto& each : in.names())
    out.keys.push_back(from_wire(each));
  return out;
}

void to_wire(const api::config_counts& in, pb::ConfigCounts& out) {
  for (const auto& [space, count] : in.by_space) {
    auto& row = *out.add_rows();
    row.set_space(space);
    row.set_count(count);
  }
}

api::config_counts from_wire(const pb::ConfigCounts& in) {
  api::config_counts out;
  for (const auto& each : in.rows())
    out.by_space.emplace_back(each.space(), each.count());
  return out;
}

void to_wire(const watch::config_change& in, pb::FedChange& out) {
  out.set_index(in.at.value);
  to_wire(in.key, *out.mutable_config());
  out.set_content_changed(in.content_changed);
  out.set_created(in.created);
  out.set_removed(in.removed);
}

watch::config_change from_wire(const pb::FedChange& in) {
  return {.at = log_index{in.index()},
          .key = from_wire(in.config()),
          .content_changed = in.content_changed(),
          .created = in.created(),
          .removed = in.removed()};
}

void read_rows(const state_reader& state, const pb::PartitionRead& what,
               pb::PartitionAnswer& out) {
  if (what.has_names_in()) {
    to_wire(api::config_names{model::config_names(state, what.names_in())},
            *out.mutable_names());
  } else if (what.has_history()) {
    const auto& asked = what.history();
    const auto rows = model::history(state, from_wire(asked.config()),
                                     asked.before(), asked.limit());
    out.mutable_history()->mutable_rows()->Assign(rows.begin(), rows.end());
  } else {
    to_wire(api::config_counts{model::config_counts(state)},
            *out.mutable_counts());
  }
}

} // namespace muster::runtime
