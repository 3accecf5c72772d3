#include "protocols/nacos/grpc/push.hpp"

#include <memory>
#include <string>

#include "protocols/common/json_out.hpp"
#include "protocols/nacos/grpc/pattern.hpp"
#include "protocols/nacos/grpc/payload.hpp"
#include "protocols/nacos/grpc/service_body.hpp"

namespace muster::nacos::remote {

namespace {

using api::name_batch;
using api::name_kind;

/// The members all pushes have.
void head(common::json_out& json, std::uint64_t request_id,
          std::string_view module) {
  json.object().key("headers").object().end();
  json.member("requestId", std::to_string(request_id));
  json.member("module", module);
}

/// One push whose other members `fill` writes.
template <class Fill>
::grpc::ByteBuffer push_of(std::string_view type, std::string_view module,
                           std::uint64_t request_id,
                           const push_context& context, Fill fill) {
  std::string body;
  common::json_out json(body);
  head(json, request_id, module);
  fill(json);
  json.end();
  return make_payload(type, body, context.server_ip);
}

::grpc::ByteBuffer config_changed(const api::push_item& item, std::uint64_t id,
                                  const push_context& context) {
  const auto& key = item.config;
  return push_of("ConfigChangeNotifyRequest", "config", id, context,
                 [&](auto& json) {
                   json.member("dataId", key.data_id);
                   json.member("group", key.group);
                   if (!context.blank_tenant)
                     json.member("tenant", key.space);
                 });
}

::grpc::ByteBuffer service_changed(const api::push_item& item, std::uint64_t id,
                                   const push_context& context) {
  std::string before;
  common::json_out json(before);
  head(json, id, "naming");
  json.key("serviceInfo");
  return make_payload("NotifySubscriberRequest", before,
                      service_body(*item.service, item.clusters), "}",
                      context.server_ip);
}

std::string key_text(name_kind kind, const std::string& space,
                     const std::string& group, const std::string& name) {
  return kind == name_kind::config ? config_group_key({space, group, name})
                                   : service_group_key({space, group, name});
}

std::string_view change_word(name_kind kind, bool added) {
  if (kind == name_kind::config)
    return added ? "ADD_CONFIG" : "DELETE_CONFIG";
  return added ? "ADD_SERVICE" : "DELETE_SERVICE";
}

::grpc::ByteBuffer name_changed(const api::push_item& item, std::uint64_t id,
                                const push_context& context) {
  const auto& name = item.name;
  const auto key = key_text(name.kind, name.space, name.group, name.name);
  if (name.kind == name_kind::config)
    return push_of("ConfigFuzzyWatchChangeNotifyRequest", "config", id, context,
                   [&](auto& json) {
                     json.member("groupKey", key);
                     // "Added" has another word here than in batches (6.9).
                     json.member("changeType", name.added ? "CONFIG_CHANGED"
                                                          : "DELETE_CONFIG");
                   });
  return push_of("NamingFuzzyWatchChangeNotifyRequest", "naming", id, context,
                 [&](auto& json) {
                   json.member("syncType", "FUZZY_WATCH_RESOURCE_CHANGED");
                   json.member("serviceKey", key);
                   json.member("changedType",
                               change_word(name.kind, name.added));
                 });
}

std::string_view sync_type(const name_batch& batch) {
  if (batch.finish)
    return "FINISH_FUZZY_WATCH_INIT_NOTIFY";
  return batch.initial ? "FUZZY_WATCH_INIT_NOTIFY"
                       : "FUZZY_WATCH_DIFF_SYNC_NOTIFY";
}

void write_changes(common::json_out& json, const name_batch& batch) {
  const auto config = batch.kind == name_kind::config;
  json.key("contexts").array();
  for (const auto& change : batch.changes) {
    json.object();
    json.member(config ? "groupKey" : "serviceKey",
                key_text(batch.kind, batch.space, change.group, change.name));
    json.member("changedType", change_word(batch.kind, change.added));
    json.end();
  }
  json.end();
}

/// The closing message of configs has no contexts and counts nothing, that of
/// services has none and counts itself (6.9, 7.8).
::grpc::ByteBuffer names(const name_batch& batch, std::uint64_t id,
                         const push_context& context) {
  const auto config = batch.kind == name_kind::config;
  const auto bare = config && batch.finish;
  return push_of(config ? "ConfigFuzzyWatchSyncRequest"
                        : "NamingFuzzyWatchSyncRequest",
                 config ? "config" : "naming", id, context, [&](auto& json) {
                   json.member("syncType", sync_type(batch));
                   json.member("groupKeyPattern", batch.pattern);
                   if (!bare)
                     write_changes(json, batch);
                   json.member("totalBatch", bare ? 0 : batch.total);
                   json.member("currentBatch", bare ? 0 : batch.number);
                 });
}

/// `target` is `ip:port`, or empty: the client chooses (3.8).
::grpc::ByteBuffer reset(std::string_view target, std::uint64_t id,
                         const push_context& context) {
  const auto colon = target.rfind(':');
  return push_of("ConnectResetRequest", "internal", id, context,
                 [&](auto& json) {
                   if (colon == std::string_view::npos)
                     return;
                   json.member("serverIp", target.substr(0, colon));
                   json.member("serverPort", target.substr(colon + 1));
                   json.member("connectionId", context.connection_id);
                 });
}

} // namespace

::grpc::ByteBuffer render_push(const api::push_item& item,
                               std::uint64_t request_id,
                               const push_context& context) {
  using what = api::push_item::what;
  switch (item.kind) {
    case what::config: return config_changed(item, request_id, context);
    case what::service: return service_changed(item, request_id, context);
    case what::name: return name_changed(item, request_id, context);
    case what::names: return names(*item.names, request_id, context);
    case what::reset: return reset(item.text, request_id, context);
    case what::probe: break;
  }
  return push_of("ClientDetectionRequest", "internal", request_id, context,
                 [](auto&) {});
}

::grpc::ByteBuffer setup_ack(std::string_view server_ip) {
  // Locks and AI are not served yet, so they are not announced: clients then
  // say so themselves instead of running into errors (3.4).
  return make_payload("SetupAckRequest",
                      R"({"headers":{},"module":"internal","abilityTable":{)"
                      R"("supportPersistentInstanceByGrpc":true,)"
                      R"("fuzzyWatch":true,"lock":false,"mcp":false,)"
                      R"("agent":false}})",
                      server_ip);
}

} // namespace muster::nacos::remote
