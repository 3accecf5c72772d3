#include "actors/core/model/query.hpp"

namespace muster::model {

namespace {

void expect(bool parsed, const char* what) {
  if (!parsed)
    throw state_error{{errc::data_loss, what}};
}

} // namespace

std::vector<config_key> list_configs(const state_reader& state,
                                     std::string_view space) {
  std::vector<config_key> keys;
  scan_prefix(state, table_id::config, key_codec::encode(space),
              [&](std::string_view key, std::string_view) {
                keys.push_back(parse_config_key(key));
                return true;
              });
  return keys;
}

std::vector<std::pair<std::string, std::uint64_t>>
config_counts(const state_reader& state) {
  std::vector<std::pair<std::string, std::uint64_t>> counts;
  state.scan(table_id::config_count, {},
             [&](std::string_view key, std::string_view value) {
               std::string space;
               expect(key_codec::decode(key, space),
                      "count key does not parse");
               counts.emplace_back(std::move(space), parse_count(value));
               return true;
             });
  return counts;
}

std::vector<pb::HistoryRecord> list_history(const state_reader& state,
                                            const config_key& key,
                                            std::uint64_t before,
                                            std::size_t limit) {
  std::vector<pb::HistoryRecord> rows;
  if (limit == 0)
    return rows;
  const auto prefix = key_of(key);
  const auto from = before == 0 ? prefix : history_key(prefix, before - 1);
  state.scan(table_id::history, from,
             [&](std::string_view found, std::string_view value) {
               if (!found.starts_with(prefix))
                 return false;
               rows.push_back(history_table::parse(value));
               return rows.size() < limit;
             });
  return rows;
}

std::vector<std::pair<std::string, pb::NamespaceRecord>>
list_namespaces(const state_reader& state) {
  std::vector<std::pair<std::string, pb::NamespaceRecord>> rows;
  state.scan(table_id::name_space, {},
             [&](std::string_view key, std::string_view value) {
               std::string id;
               expect(key_codec::decode(key, id),
                      "namespace key does not parse");
               rows.emplace_back(std::move(id), namespace_table::parse(value));
               return true;
             });
  return rows;
}

std::vector<service_key> list_services(const state_reader& state,
                                       std::string_view space) {
  std::vector<service_key> keys;
  scan_prefix(state, table_id::service, key_codec::encode(space),
              [&](std::string_view key, std::string_view) {
                keys.push_back(parse_service_key(key));
                return true;
              });
  return keys;
}

stored_service load_service(const state_reader& state,
                            const service_key& key) {
  const auto prefix = key_of(key);
  stored_service out;
  out.record = service_table::get(state, prefix);
  scan_prefix(state, table_id::instance, prefix,
              [&](std::string_view, std::string_view value) {
                out.instances.push_back(instance_table::parse(value));
                return true;
              });
  scan_prefix(state, table_id::instance_override, prefix,
              [&](std::string_view found, std::string_view value) {
                stored_service::overlaid row;
                std::uint64_t port = 0;
                expect(key_codec::decode(found.substr(prefix.size()), row.ip,
                                         port, row.cluster),
                       "override key does not parse");
                row.port = static_cast<std::uint32_t>(port);
                row.values = override_table::parse(value);
                out.overrides.push_back(std::move(row));
                return true;
              });
  return out;
}

} // namespace muster::model
