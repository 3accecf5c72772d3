#include "actors/core/model/tables.hpp"

namespace muster::model {

namespace {

[[noreturn]] void corrupt(const char* what) {
  throw state_error{{errc::data_loss, what}};
}

} // namespace

std::string key_of(const config_key& key) {
  return key_codec::encode(key.space, key.group, key.data_id);
}

std::string key_of(const pb::ConfigKey& key) {
  return key_codec::encode(key.namespace_id(), key.group(), key.data_id());
}

std::string key_of(const service_key& key) {
  return key_codec::encode(key.space, key.group, key.service);
}

std::string key_of(const pb::ServiceKey& key) {
  return key_codec::encode(key.namespace_id(), key.group(), key.service());
}

std::string gray_key(std::string_view config, std::string_view name) {
  std::string key(config);
  key_codec::append(key, name);
  return key;
}

std::string history_key(std::string_view config, std::uint64_t nid) {
  std::string key(config);
  key_codec::append(key, ~nid);
  return key;
}

std::string history_time_key(std::uint64_t time_ms, std::uint64_t nid) {
  return key_codec::encode(time_ms, nid);
}

std::string endpoint_prefix(std::string_view service, std::string_view ip,
                            std::uint32_t port) {
  std::string key(service);
  key_codec::append(key, ip);
  key_codec::append(key, std::uint64_t{port});
  return key;
}

std::string endpoint_key(std::string_view service, std::string_view ip,
                         std::uint32_t port, std::string_view cluster) {
  auto key = endpoint_prefix(service, ip, port);
  key_codec::append(key, cluster);
  return key;
}

config_key to_config_key(const pb::ConfigKey& key) {
  return {key.namespace_id(), key.group(), key.data_id()};
}

service_key to_service_key(const pb::ServiceKey& key) {
  return {key.namespace_id(), key.group(), key.service()};
}

config_key parse_config_key(std::string_view bytes) {
  config_key key;
  if (!key_codec::decode(bytes, key.space, key.group, key.data_id))
    corrupt("config key does not parse");
  return key;
}

service_key parse_service_key(std::string_view bytes) {
  service_key key;
  if (!key_codec::decode(bytes, key.space, key.group, key.service))
    corrupt("service key does not parse");
  return key;
}

std::uint64_t parse_count(std::string_view bytes) {
  std::uint64_t count = 0;
  if (!key_codec::decode(bytes, count))
    corrupt("config count does not parse");
  return count;
}

} // namespace muster::model
