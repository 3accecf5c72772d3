// The door over a whole node in memory, spoken to as a client does.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "actors/runtime/node.hpp"
#include "protocols/nacos/grpc/door.hpp"
#include "protocols/nacos/grpc/payload.hpp"
#include "storage/memory/memory_store.hpp"
#include "tests/support/grpc_client.hpp"

using namespace muster;
using namespace muster::nacos::remote;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

constexpr auto unary = "/Request/request";
constexpr auto bidi = "/BiRequestStream/requestBiStream";
constexpr auto deadline = 20s;

template <class F>
void wait(F&& condition) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    REQUIRE(std::chrono::steady_clock::now() < until);
    std::this_thread::yield();
  }
}

/// A node and a door, started and stopped in their order.
struct served_node {
  explicit served_node(door_settings settings = {}) {
    runtime::node_options options;
    options.facts.partitions = 4;
    options.facts.advertised_ip = "127.0.0.1";
    node.emplace(options, logs, tables, system_clock());
    node->start();
    wait([&] { return node->state() == api::node_state::serving; });
    settings.address = "127.0.0.1";
    settings.port = 0;
    auto opened = door::open(*node, node->system(), settings);
    REQUIRE(opened);
    sdk = std::move(*opened);
  }
  ~served_node() {
    sdk->stop(100ms);
    sdk.reset();
    node->stop();
  }

  storage::memory_log_store logs;
  storage::memory_state_store tables;
  std::optional<runtime::node> node;
  std::unique_ptr<door> sdk;
};

struct message {
  std::string type;
  json::object body;
};

message read(const std::string& bytes) {
  const auto wire = parse_envelope(bytes);
  REQUIRE(wire);
  return {std::string{wire->type}, json::parse(wire->body).as_object()};
}

/// A client as the SDKs are one: a stream and unary calls on one connection.
struct sdk_client {
  explicit sdk_client(served_node& to, std::string module = "config",
                      bool ability = true)
    : wire(to.sdk->port()), stream(wire.open(bidi)) {
    json::object setup{{"labels", {{"source", "sdk"}, {"module", json::string(module)}}}};
    if (ability)
      setup["abilityTable"] = json::object{};
    send("ConnectionSetupRequest", setup);
    if (ability) {
      const auto ack = push();
      REQUIRE(ack);
      CHECK(ack->type == "SetupAckRequest");
      CHECK(ack->body.at("abilityTable").at("fuzzyWatch").as_bool());
      CHECK_FALSE(ack->body.at("abilityTable").at("lock").as_bool());
    } else {
      // Nothing is answered to it: registered is who may make calls.
      wait([&] {
        return ask("HealthCheckRequest", json::object{}).type
               == "HealthCheckResponse";
      });
    }
  }

  void send(std::string_view type, const json::value& body) {
    stream->send(encode_envelope(type, json::serialize(body), "10.0.0.7"));
  }
  message ask(std::string_view type, const json::value& body) {
    return ask_text(type, json::serialize(body));
  }
  message ask_text(std::string_view type, const std::string& body) {
    const auto answer = wire.call(unary, encode_envelope(type, body));
    REQUIRE(answer.status.ok());
    return read(answer.bytes);
  }
  std::optional<message> push(std::chrono::milliseconds within = 5s) {
    const auto bytes = stream->receive(within);
    return bytes ? std::optional(read(*bytes)) : std::nullopt;
  }
  void acknowledge(const message& push) {
    send("NotifySubscriberResponse",
         {{"resultCode", 200},
          {"success", false},
          {"requestId", push.body.at("requestId")}});
  }

  test::grpc_client wire;
  std::unique_ptr<test::bidi_client> stream;
};

void check_error(const message& answer, std::string_view type, int code) {
  CHECK(answer.type == type);
  CHECK(answer.body.at("errorCode") == code);
  CHECK(answer.body.at("resultCode") == 500);
  CHECK_FALSE(answer.body.at("success").as_bool());
}

json::object config_of(std::string_view data_id) {
  return {{"dataId", data_id}, {"group", "G"}, {"tenant", ""}};
}

json::object with(json::object object,
                  std::initializer_list<std::pair<const char*, json::value>> more) {
  for (const auto& [name, value] : more)
    object[name] = value;
  return object;
}

json::object service_of(std::string_view name) {
  return {{"namespace", "public"}, {"groupName", "G"}, {"serviceName", name}};
}

json::object instance_of(std::string_view ip, int port) {
  return {{"ip", ip}, {"port", port}};
}

json::array hosts_of(const message& answer) {
  return answer.body.at("serviceInfo").at("hosts").as_array();
}

} // namespace

TEST_CASE("checks come in Nacos' order") {
  served_node node;
  test::grpc_client wire(node.sdk->port());
  const auto ask = [&](std::string_view type, const std::string& body) {
    const auto answer = wire.call(unary, encode_envelope(type, body));
    REQUIRE(answer.status.ok());
    return read(answer.bytes);
  };
  const auto check = ask("ServerCheckRequest", "{");
  CHECK(check.type == "ServerCheckResponse");
  const std::string id{check.body.at("connectionId").as_string()};
  CHECK(id.contains("_127.0.0.1_"));
  CHECK(ask("ServerCheckRequest", "{}").body.at("connectionId").as_string()
        == std::string_view{id});
  check_error(ask("NoSuchRequest", "{"), "ErrorResponse", 302);
  check_error(ask("ServerReloadRequest", "{"), "ErrorResponse", 502);
  check_error(ask("ConfigQueryRequest", "{"), "ErrorResponse", 301);
  check_error(ask("HealthCheckRequest", "{}"), "ErrorResponse", 301);

  sdk_client client(node);
  check_error(client.ask_text("ConfigQueryRequest", "{"), "ErrorResponse", 502);
  check_error(client.ask_text("ConfigQueryRequest", "[]"), "ErrorResponse", 502);
  CHECK(client.ask("HealthCheckRequest", json::object{}).body.at("success")
        == true);
}

TEST_CASE("the id asked for before the set-up is the client's") {
  served_node node;
  test::grpc_client wire(node.sdk->port());
  const auto id_now = [&] {
    const auto answer
      = wire.call(unary, encode_envelope("ServerCheckRequest", "{}"));
    return std::string{read(answer.bytes).body.at("connectionId").as_string()};
  };
  const auto id = id_now();
  const auto stream = wire.open(bidi);
  stream->send(encode_envelope("ConnectionSetupRequest", "{}"));
  wait([&] { return node.sdk->clients() == 1; });
  CHECK(id_now() == id);
  const auto streams = node.sdk->streams();
  CHECK(streams->reset(id, "10.1.1.1:8848"));
  CHECK_FALSE(streams->reset("another", ""));
  // A reset waits until the client has made its first call.
  const auto answer
    = wire.call(unary, encode_envelope("HealthCheckRequest", "{}"));
  CHECK(answer.status.ok());
  const auto bytes = stream->receive();
  REQUIRE(bytes);
  const auto reset = read(*bytes);
  CHECK(reset.type == "ConnectResetRequest");
  CHECK(reset.body.at("serverPort") == "8848");
}

namespace {

/// A client whose stream ends with this.
struct guest {
  explicit guest(served_node& node, const char* labels = "{}")
      : wire(node.sdk->port()), stream(wire.open(bidi)) {
    stream->send(encode_envelope("ConnectionSetupRequest",
                                 R"({"clientVersion":"v1","labels":)"
                                   + std::string{labels} + '}'));
    // A reset waits for the first call.
    wait([&] {
      const auto answer =
        wire.call(unary, encode_envelope("HealthCheckRequest", "{}"));
      return read(answer.bytes).type == "HealthCheckResponse";
    });
  }
  /// Where it was asked to go.
  std::string target() {
    const auto bytes = stream->receive();
    REQUIRE(bytes);
    const auto reset = read(*bytes);
    REQUIRE(reset.type == "ConnectResetRequest");
    if (!reset.body.contains("serverIp"))
      return {};
    return std::string{reset.body.at("serverIp").as_string()} + ':'
           + std::string{reset.body.at("serverPort").as_string()};
  }

  test::grpc_client wire;
  std::unique_ptr<test::bidi_client> stream;
};

} // namespace

TEST_CASE("clients are listed with what they said of themselves") {
  served_node node;
  const auto streams = node.sdk->streams();
  CHECK(streams->rows().empty());
  const auto before = system_clock().wall();
  guest one(node, R"({"source":"sdk","AppName":"shop"})");
  guest server(node, R"({"source":"cluster"})");
  CHECK(streams->counts().all == 2);
  CHECK(streams->counts().sdks == 1);
  auto rows = streams->rows();
  REQUIRE(rows.size() == 2);
  std::ranges::sort(rows, {}, [](const auto& r) { return r.info.app; });
  const auto& row = rows.back();
  CHECK(row.info.app == "shop");
  CHECK(row.info.version == "v1");
  CHECK(row.info.remote_address == "127.0.0.1");
  CHECK(row.local_port == node.sdk->port());
  CHECK(row.info.connection_id.ends_with('_' + row.remote_port));
  CHECK(row.since >= before - 1s);
  CHECK(row.active >= row.since - 2s);
  CHECK(row.active <= system_clock().wall() + 1s);
}

TEST_CASE("so many clients are asked to move that the others stay") {
  served_node node;
  const auto streams = node.sdk->streams();
  guest a(node);
  guest b(node);
  guest c(node);
  guest server(node, R"({"source":"cluster"})");
  const std::vector<std::string> targets{"10.0.0.1:8848", "10.0.0.2:8848"};
  CHECK(streams->shed(3, targets) == 0);
  CHECK(streams->shed(2, targets) == 1);
  // That one is on its way.
  CHECK(streams->shed(2, targets) == 0);
  CHECK(streams->shed(0, targets) == 2);
  std::vector<std::string> sent{a.target(), b.target(), c.target()};
  std::ranges::sort(sent);
  CHECK(sent
        == std::vector<std::string>{"10.0.0.1:8848", "10.0.0.1:8848",
                                    "10.0.0.2:8848"});
  CHECK(streams->shed(0, {}) == 0);
}

TEST_CASE("a door can wait until its clients have gone by themselves") {
  served_node node;
  node.sdk->wait_empty(20s);
  const auto streams = node.sdk->streams();
  std::optional<guest> one(std::in_place, node);
  const auto begun = std::chrono::steady_clock::now();
  node.sdk->wait_empty(50ms);
  CHECK(std::chrono::steady_clock::now() - begun >= 50ms);
  CHECK(streams->shed(0, {}) == 1);
  CHECK(one->target().empty());
  one.reset();
  node.sdk->wait_empty(20s);
  CHECK(std::chrono::steady_clock::now() - begun < 20s);
  CHECK(streams->counts().all == 0);
}

TEST_CASE("bytes that are no message and streams of nonsense do no harm") {
  served_node node;
  sdk_client client(node);
  const auto garbage = client.wire.call(unary, "\xFF\xFF");
  CHECK(garbage.status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  client.stream->send("\xFF\xFF");
  client.send("NoSuchRequest", json::object{});
  client.send("ClientDetectionResponse", {{"requestId", "99999"}});
  client.send("ClientDetectionResponse", {{"requestId", {{"a", 1}}}});
  client.send("HealthCheckRequest", json::array{});
  CHECK(client.ask("HealthCheckRequest", json::object{}).body.at("success")
        == true);
  CHECK_FALSE(client.push(100ms));
}

TEST_CASE("publish, query, CAS, remove") {
  served_node node;
  sdk_client client(node);
  check_error(client.ask("ConfigQueryRequest", config_of("a")),
              "ConfigQueryResponse", 300);
  const auto publish = [&](const char* content, const char* cas) {
    return client.ask("ConfigPublishRequest",
                      with(config_of("a"), {{"content", content},
                                            {"casMd5", cas},
                                            {"additionMap",
                                             {{"type", "yaml"},
                                              {"appName", nullptr}}}}));
  };
  CHECK(publish("one", "no such md5").body.at("success") == true);
  for (int i = 0; i < 2; ++i) { // made, then kept
    const auto found = client.ask("ConfigQueryRequest", config_of("a"));
    CHECK(found.body.at("content") == "one");
    CHECK(found.body.at("md5") == "f97c5d29941bfb1b2fdab0874906ab82");
    CHECK(found.body.at("contentType") == "yaml");
    CHECK_FALSE(found.body.contains("tag"));
  }
  check_error(publish("two", "wrong"), "ConfigPublishResponse", 500);
  CHECK(publish("two", "f97c5d29941bfb1b2fdab0874906ab82").body.at("success")
        == true);
  CHECK(client.ask("ConfigRemoveRequest", config_of("a")).body.at("success")
        == true);
  check_error(client.ask("ConfigQueryRequest", config_of("a")),
              "ConfigQueryResponse", 300);
  CHECK(client.ask("ConfigRemoveRequest", config_of("a")).body.at("success")
        == true);
  check_error(client.ask("ConfigPublishRequest", config_of("bad id")),
              "ConfigPublishResponse", 400);
}

TEST_CASE("a content may be long, a message not; escapes do not count") {
  door_settings settings;
  settings.message_bytes_max = 100'000;
  served_node node(settings);
  sdk_client client(node);
  const auto publish = [&](const std::string& content) {
    return client.wire
      .call(unary, encode_envelope("ConfigPublishRequest",
                                   json::serialize(with(config_of("big"),
                                                        {{"content", json::string(content)}}))))
      .status;
  };
  CHECK(publish(std::string(99'000, 'x')).ok());
  CHECK(publish(std::string(99'000, '"')).ok());
  const auto refused = publish(std::string(100'000, 'x'));
  CHECK(refused.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(refused.error_message().starts_with(
    "gRPC message exceeds maximum size 100000: "));
  CHECK(publish(std::string(1'000'000, 'x')).error_code()
        == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(client.ask("HealthCheckRequest", json::object{}).body.at("success")
        == true);
}

TEST_CASE("bytes being worked on are bounded, and given back") {
  door_settings settings;
  settings.bytes_max = 1000;
  served_node node(settings);
  sdk_client client(node);
  const auto too_big = client.wire.call(
    unary, encode_envelope("HealthCheckRequest", std::string(2000, ' ')));
  CHECK(too_big.status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  for (int i = 0; i < 50; ++i)
    CHECK(client.ask("HealthCheckRequest", json::object{}).body.at("success")
          == true);
}

TEST_CASE("a listener is told, in the spelling it uses") {
  served_node node;
  sdk_client listener(node);
  sdk_client writer(node);
  const auto listen = [&](const char* data_id, json::value tenant,
                          const char* md5) {
    auto context = config_of(data_id);
    context["tenant"] = tenant;
    context["md5"] = md5;
    return listener.ask("ConfigBatchListenRequest",
                        {{"listen", true},
                         {"configListenContexts", json::array{context}}});
  };
  CHECK(listen("blank", nullptr, "").body.at("changedConfigs").as_array().empty());
  CHECK(listen("named", "public", "").body.at("changedConfigs").as_array().empty());
  const auto changed = listen("named", "public", "other");
  REQUIRE(changed.body.at("changedConfigs").as_array().size() == 1);
  CHECK(changed.body.at("changedConfigs").at(0).at("tenant") == "public");
  for (const auto* name : {"blank", "named"}) {
    writer.ask("ConfigPublishRequest",
               with(config_of(name), {{"content", "x"}}));
    const auto told = listener.push();
    REQUIRE(told);
    CHECK(told->type == "ConfigChangeNotifyRequest");
    CHECK(told->body.at("dataId") == name);
    CHECK(told->body.contains("tenant") == (std::string_view{name} == "named"));
    listener.acknowledge(*told);
  }
}

TEST_CASE("instances come and go with their connection") {
  served_node node;
  sdk_client reader(node, "naming");
  const auto query = [&](const char* service) {
    return hosts_of(reader.ask("ServiceQueryRequest", service_of(service)));
  };
  {
    sdk_client publisher(node, "naming", false);
    auto request = with(service_of("s"), {{"type", "registerInstance"},
                                          {"instance", instance_of("1.1.1.1", 1)}});
    CHECK(publisher.ask("InstanceRequest", request).body.at("type")
          == "registerInstance");
    CHECK(query("s").size() == 1);
    request["instance"] = instance_of("2.2.2.2", 2); // replaces
    publisher.ask("InstanceRequest", request);
    REQUIRE(query("s").size() == 1);
    CHECK(query("s").at(0).at("ip") == "2.2.2.2");
    CHECK(query("s").at(0).at("instanceId") == "2.2.2.2#2#DEFAULT#G@@s");
    const json::object batch
      = with(service_of("s"),
             {{"type", "batchRegisterInstance"},
              {"instances", json::array{instance_of("1.1.1.1", 1),
                                        instance_of("1.1.1.2", 2)}}});
    publisher.ask("BatchInstanceRequest", batch);
    CHECK(query("s").size() == 2);
  }
  wait([&] { return query("s").empty(); });
}

TEST_CASE("subscribers see joins; a service may not exist yet") {
  served_node node;
  sdk_client subscriber(node, "naming");
  sdk_client publisher(node, "naming");
  const auto first = subscriber.ask("SubscribeServiceRequest",
                                    with(service_of("s"), {{"subscribe", true},
                                                           {"clusters", ""}}));
  CHECK(first.body.at("message") == "success");
  CHECK(hosts_of(first).empty());
  publisher.ask("InstanceRequest",
                with(service_of("s"), {{"type", "registerInstance"},
                                       {"instance", instance_of("1.1.1.1", 1)}}));
  for (auto seen = false; !seen;) {
    const auto told = subscriber.push();
    REQUIRE(told);
    CHECK(told->type == "NotifySubscriberRequest");
    subscriber.acknowledge(*told);
    seen = hosts_of(*told).size() == 1;
  }
}

TEST_CASE("persistent instances stay, and the kind of a service is fixed") {
  served_node node;
  sdk_client reader(node, "naming");
  const auto put = with(service_of("p"), {{"type", "registerInstance"},
                                          {"instance", instance_of("1.1.1.1", 1)}});
  {
    sdk_client publisher(node, "naming");
    CHECK(publisher.ask("PersistentInstanceRequest", put).type
          == "InstanceResponse");
    check_error(publisher.ask("InstanceRequest", put), "InstanceResponse", 400);
  }
  wait([&] { return node.sdk->clients() == 1; });
  CHECK(hosts_of(reader.ask("ServiceQueryRequest", service_of("p"))).size() == 1);
  auto remove = put;
  remove["type"] = "deregisterInstance";
  CHECK(reader.ask("PersistentInstanceRequest", remove).body.at("success")
        == true);
  CHECK(hosts_of(reader.ask("ServiceQueryRequest", service_of("p"))).empty());
}

TEST_CASE("bad names and values are refused with their type, nothing changes") {
  served_node node;
  sdk_client client(node, "naming");
  const auto try_instance = [&](json::object instance) {
    return client.ask("InstanceRequest",
                      with(service_of("s"), {{"type", "registerInstance"},
                                             {"instance", instance}}));
  };
  check_error(try_instance(instance_of("1.1.1.1", 65'536)), "InstanceResponse",
              400);
  check_error(try_instance(instance_of("1 1", 1)), "InstanceResponse", 400);
  check_error(try_instance({{"ip", "1.1.1.1"}, {"port", "abc"}}),
              "ErrorResponse", 502);
  check_error(try_instance({{"ip", "1.1.1.1"}, {"clusterName", "a_b"}}),
              "InstanceResponse", 400);
  check_error(client.ask("InstanceRequest", service_of("")), "InstanceResponse",
              400);
  check_error(client.ask("InstanceRequest",
                         with(service_of("s"), {{"type", "bogus"}})),
              "InstanceResponse", 400);
  CHECK(hosts_of(client.ask("ServiceQueryRequest", service_of("s"))).empty());
  CHECK(try_instance({{"ip", "1.1.1.1"}, {"port", "8080"}}).body.at("success")
        == true);
  sdk_client config(node, "config");
  check_error(config.ask("InstanceRequest",
                         with(service_of("s"),
                              {{"type", "registerInstance"},
                               {"instance", instance_of("1.1.1.1", 1)}})),
              "InstanceResponse", -401);
}

TEST_CASE("what an operator sets about requests holds here, too") {
  door_settings settings;
  settings.rules.content_length_max = 5;
  settings.rules.metadata_length_max = 3;
  served_node node(settings);
  sdk_client client(node, "naming");
  const auto publish = [](sdk_client& by, const char* content) {
    return by.ask("ConfigPublishRequest",
                  with(config_of("a"), {{"content", content}}));
  };
  const auto register_with = [](sdk_client& by, const char* name,
                                json::object metadata) {
    auto instance = instance_of("1.1.1.1", 1);
    instance["metadata"] = std::move(metadata);
    return by.ask("InstanceRequest",
                  with(service_of(name),
                       {{"type", "registerInstance"}, {"instance", instance}}));
  };
  CHECK(publish(client, "12345").body.at("success") == true);
  CHECK(publish(client, "123456").body.at("success") == false);
  CHECK(register_with(client, "s", {{"a", "bc"}}).body.at("success") == true);
  check_error(register_with(client, "s", {{"a", "bcd"}}), "InstanceResponse",
              400);
  check_error(register_with(client, "s t", {}), "InstanceResponse", 400);
  settings.rules.check_parameters = false;
  served_node lenient(settings);
  sdk_client other(lenient, "naming");
  CHECK(register_with(other, "s t", {{"a", "bcd"}}).body.at("success") == true);
}

TEST_CASE("services are listed in pages, beyond the end there is nothing") {
  served_node node;
  sdk_client client(node, "naming");
  for (const auto* name : {"a", "b", "c"})
    client.ask("InstanceRequest",
               with(service_of(name), {{"type", "registerInstance"},
                                       {"instance", instance_of("1.1.1.1", 1)}}));
  const auto page = [&](std::int64_t number, std::int64_t size) {
    auto body = client.ask("ServiceListRequest",
                           with(service_of(""), {{"pageNo", number},
                                                 {"pageSize", size}}))
                  .body;
    CHECK(body.at("count") == 3);
    return json::serialize(body.at("serviceNames"));
  };
  CHECK(page(1, 2) == R"(["a","b"])");
  CHECK(page(2, 2) == R"(["c"])");
  CHECK(page(0, 2) == R"(["a","b"])");
  CHECK(page(3, 2) == "[]");
  CHECK(page(INT64_MAX, INT64_MAX) == "[]");
  CHECK(page(1, 0) == "[]");
  check_error(client.ask("ServiceListRequest",
                         with(service_of(""), {{"pageSize", -1}})),
              "ServiceListResponse", 400);
}

TEST_CASE("a fuzzy watch synchronises and follows; the limit is told") {
  served_node node;
  sdk_client writer(node);
  sdk_client watcher(node);
  const auto publish = [&](const char* name) {
    writer.ask("ConfigPublishRequest", with(config_of(name), {{"content", "x"}}));
  };
  publish("fz-1");
  const auto watch = [&](std::string pattern) {
    return watcher.ask("ConfigFuzzyWatchRequest",
                       {{"groupKeyPattern", json::string(pattern)},
                        {"watchType", "WATCH"},
                        {"initializing", true}});
  };
  CHECK(watch("public>>G>>fz-*").body.at("success") == true);
  const auto init = watcher.push();
  REQUIRE(init);
  CHECK(init->body.at("syncType") == "FUZZY_WATCH_INIT_NOTIFY");
  CHECK(init->body.at("contexts").at(0).at("groupKey") == "fz-1+G+public");
  watcher.acknowledge(*init);
  const auto finish = watcher.push();
  REQUIRE(finish);
  CHECK(finish->body.at("syncType") == "FINISH_FUZZY_WATCH_INIT_NOTIFY");
  watcher.acknowledge(*finish);
  publish("other");
  publish("fz-2");
  const auto added = watcher.push();
  REQUIRE(added);
  CHECK(added->body.at("groupKey") == "fz-2+G+public");
  watcher.acknowledge(*added);
  for (int i = 1; i < 20; ++i)
    CHECK(watch("public>>G>>p" + std::to_string(i)).body.at("success") == true);
  check_error(watch("public>>G>>one-more"), "ConfigFuzzyWatchResponse", 50310);
}

TEST_CASE("the newest stream of a transport wins") {
  served_node node;
  sdk_client client(node);
  const auto second = client.wire.open(bidi);
  second->send(encode_envelope("ConnectionSetupRequest", R"({"abilityTable":{}})"));
  const auto ack = second->receive();
  REQUIRE(ack);
  CHECK(read(*ack).type == "SetupAckRequest");
  const auto status = client.stream->wait_end();
  REQUIRE(status);
  CHECK(status->error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(client.ask("HealthCheckRequest", json::object{}).body.at("success")
        == true);
  CHECK(node.sdk->clients() == 1);
  second->half_close();
  wait([&] { return node.sdk->clients() == 0; });
  check_error(client.ask("HealthCheckRequest", json::object{}), "ErrorResponse",
              301);
}

TEST_CASE("with authorization on, nobody is let through") {
  door_settings settings;
  settings.auth.open = true;
  served_node node(settings);
  sdk_client client(node);
  check_error(client.ask("ConfigQueryRequest", config_of("a")),
              "ConfigQueryResponse", 403);
  CHECK(client.ask("HealthCheckRequest", json::object{}).body.at("success")
        == true);
}

TEST_CASE("stopping ends the streams with a status that clients act on") {
  auto node = std::make_unique<served_node>();
  sdk_client client(*node);
  node->sdk->stop(1s);
  const auto status = client.stream->wait_end();
  REQUIRE(status);
  CHECK(status->error_code() == grpc::StatusCode::UNAVAILABLE);
}
