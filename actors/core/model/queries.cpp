#include "actors/core/model/queries.hpp"

#include "actors/core/model/tables.hpp"

namespace muster::model {

namespace {

[[noreturn]] void corrupt(const char* what) {
  throw state_error{{errc::data_loss, what}};
}

} // namespace

std::vector<config_key> config_names(const state_reader& state,
                                     std::string_view space) {
  std::vector<config_key> found;
  scan_prefix(state, table_id::config, key_codec::encode(space),
              [&](std::string_view key, std::string_view) {
                found.push_back(parse_config_key(key));
                return true;
              });
  return found;
}

std::vector<std::pair<std::string, std::uint64_t>>
config_counts(const state_reader& state) {
  std::vector<std::pair<std::string, std::uint64_t>> found;
  scan_prefix(state, table_id::config_count, {},
              [&](std::string_view key, std::string_view value) {
                std::string space;
                if (!key_codec::decode(key, space))
                  corrupt("key of a config count");
                found.emplace_back(std::move(space), parse_count(value));
                return true;
              });
  return found;
}

std::vector<pb::HistoryRecord> history(const state_reader& state,
                                       const config_key& key,
                                       std::uint64_t before,
                                       std::size_t limit) {
  std::vector<pb::HistoryRecord> rows;
  const auto config = key_of(key);
  const auto from = before == 0 ? config : history_key(config, before - 1);
  if (limit == 0)
    return rows;
  state.scan(table_id::history, from,
             [&](std::string_view row, std::string_view value) {
               if (!row.starts_with(config))
                 return false;
               rows.push_back(history_table::parse(value));
               return rows.size() < limit;
             });
  return rows;
}

std::optional<pb::MembershipRecord> membership(const state_reader& state) {
  return cluster_table::get(state, cluster_record_key);
}

std::vector<std::pair<std::string, pb::NamespaceRecord>>
namespaces(const state_reader& state) {
  std::vector<std::pair<std::string, pb::NamespaceRecord>> found;
  scan_prefix(state, table_id::name_space, {},
              [&](std::string_view key, std::string_view value) {
                std::string id;
                if (!key_codec::decode(key, id))
                  corrupt("key of a namespace");
                found.emplace_back(std::move(id),
                                   namespace_table::parse(value));
                return true;
              });
  return found;
}

std::vector<service_key> stored_services(const state_reader& state,
                                         std::string_view space) {
  std::vector<service_key> found;
  const auto prefix = space.empty() ? std::string{} : key_codec::encode(space);
  scan_prefix(state, table_id::service, prefix,
              [&](std::string_view key, std::string_view) {
                found.push_back(parse_service_key(key));
                return true;
              });
  return found;
}

std::optional<pb::ServiceRecord> service(const state_reader& state,
                                         const service_key& key) {
  return service_table::get(state, key_of(key));
}

std::vector<pb::InstanceRecord> instances(const state_reader& state,
                                          const service_key& key) {
  std::vector<pb::InstanceRecord> found;
  scan_prefix(state, table_id::instance, key_of(key),
              [&](std::string_view, std::string_view value) {
                found.push_back(instance_table::parse(value));
                return true;
              });
  return found;
}

std::vector<stored_override> overrides(const state_reader& state,
                                       const service_key& key) {
  std::vector<stored_override> found;
  const auto prefix = key_of(key);
  scan_prefix(state, table_id::instance_override, prefix,
              [&](std::string_view row, std::string_view value) {
                auto rest = row.substr(prefix.size());
                stored_override o;
                std::uint64_t port = 0;
                if (!key_codec::decode(rest, o.ip, port, o.cluster))
                  corrupt("key of an override");
                o.port = static_cast<std::uint32_t>(port);
                o.values = override_table::parse(value);
                found.push_back(std::move(o));
                return true;
              });
  return found;
}

} // namespace muster::model
