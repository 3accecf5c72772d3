// Handlers from decoded request to answer, over a node in memory.
#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "tests/unit/nacos_http/memory_node.hpp"

using namespace muster;
using namespace muster::test;
using http::method;

namespace {

const std::string get_a = "/v1/cs/configs?dataId=a&group=g";
const std::string list_s = "/v1/ns/instance/list?serviceName=s";

call publish(std::string form,
             std::vector<std::pair<std::string, std::string>> headers = {}) {
  return {method::post, "/v1/cs/configs", "dataId=a&group=g&" + std::move(form),
          std::move(headers)};
}

call listen(std::string md5, std::string timeout) {
  return {method::post,
          "/v1/cs/configs/listener",
          "Listening-Configs=a%02g%02" + std::move(md5) + "%01",
          {{"Long-Pulling-Timeout", std::move(timeout)}}};
}

boost::json::value json_of(const http::response& r) {
  return boost::json::parse(body_of(r));
}

const std::string md5_x = "9dd4e461268c8034f5c8564e155c67a6"; // of "x"

} // namespace

TEST_CASE("config: publish, read, delete over v1, v2 and v3") {
  memory_node node;
  caller run(node);
  CHECK(run({method::get, get_a}).status == 404);
  CHECK(body_of(run({method::get, get_a})) == "config data not exist\n");
  CHECK(body_of(run({method::get, "/v1/cs/configs?dataId=&group=g"}))
        == "caused: invalid dataId : ;");
  CHECK(body_of(run(publish("content=x&type=json"))) == "true");
  const auto found = run({method::get, get_a});
  REQUIRE(found.rendered);
  CHECK(body_of(found) == "x");
  CHECK(found.rendered->contains("Content-MD5: " + md5_x));
  CHECK(found.rendered->contains("Config-Type: json"));
  CHECK(found.rendered->contains("application/json;charset=UTF-8"));
  // The whole answer is made once for all readers.
  CHECK(run({method::get, get_a}).rendered == found.rendered);
  const auto v2 =
      run({method::get, "/v2/cs/config?dataId=a&group=g&namespaceId="});
  CHECK(json_of(v2).at("data") == "x");
  const auto v3 =
      run({method::get, "/v3/client/cs/config?dataId=a&groupName=g"});
  CHECK(json_of(v3).at("data").at("md5").as_string() == md5_x);
  CHECK(body_of(run({method::del, get_a})) == "true");
  CHECK(body_of(run({method::del, get_a})) == "true");
  CHECK(run({method::get, get_a}).status == 404);
}

TEST_CASE("config: compare and set, and what v1 says when it loses") {
  memory_node node;
  caller run(node);
  run(publish("content=x"));
  const auto lost = run(publish("content=y", {{"casMd5", "0"}}));
  CHECK(lost.status == 500);
  CHECK(body_of(lost) == "false");
  CHECK(body_of(run({method::get, get_a})) == "x");
  CHECK(body_of(run(publish("content=y", {{"casMd5", md5_x}}))) == "true");
  call v2{method::post,
          "/v2/cs/config",
          "dataId=a&group=g&content=z",
          {{"casMd5", "0"}}};
  const auto lost2 = run(v2);
  CHECK(lost2.status == 500);
  CHECK(json_of(lost2).at("code") == 20005);
}

TEST_CASE("config: beta and tag versions go to those they are for") {
  memory_node node;
  caller run(node);
  run(publish("content=formal"));
  run(publish("content=beta", {{"betaIps", "9.9.9.9"}}));
  run(publish("content=blue&tag=blue"));
  const auto as = [&](std::string name, std::string value) {
    return run({method::get, get_a, {}, {{name, value}}});
  };
  CHECK(body_of(as("X-Forwarded-For", "9.9.9.9, 1.1.1.1")) == "beta");
  CHECK(header_of(as("X-Real-IP", "9.9.9.9"), "isBeta") == "true");
  CHECK(header_of(as("X-Real-IP", "9.9.9.9"), "Encrypted-Data-Key")
        == "(absent)");
  CHECK(body_of(as("X-Real-IP", "8.8.8.8")) == "formal");
  CHECK(body_of(as("Vipserver-Tag", "blue")) == "blue");
  CHECK(body_of(as("Vipserver-Tag", "red")) == "formal");
  CHECK(run({method::get, get_a + "&tag=red"}).status == 404);
  CHECK(header_of(run({method::get, get_a + "&tag=blue"}), "tag") == "blue");
  const auto beta = run({method::get, get_a + "&beta=true"});
  CHECK(json_of(beta).at("data").at("betaIps") == "9.9.9.9");
  run({method::del, get_a + "&tag=blue"});
  CHECK(run({method::get, get_a + "&tag=blue"}).status == 404);
  CHECK(json_of(run({method::del, get_a + "&beta=true"})).at("code") == 200);
  CHECK(json_of(run({method::del, get_a + "&beta=true"})).at("code") == 500);
}

TEST_CASE("config: calls of later issues on the same path are unknown") {
  memory_node node;
  caller run(node);
  for (const auto* more : {"&show=all", "&search=blur", "&export=true"})
    CHECK(run({method::get, get_a + more}).status == 404);
  CHECK(node.shared->proposed.empty());
}

TEST_CASE("long poll: answers at once for a difference, with all keys") {
  memory_node node;
  caller run(node);
  run(publish("content=x"));
  CHECK(body_of(run(listen("0", "30000"))) == "a%02g%01\n");
  auto equal = listen(md5_x, "30000");
  equal.headers.emplace_back("Long-Pulling-Timeout-No-Hangup", "true");
  CHECK(body_of(run(equal)).empty());
  CHECK(run(listen(md5_x, "abc")).status == 400);
  CHECK(node.shared->watched == 0);
  auto brief = listen("0", "");
  brief.headers.clear();
  const auto now = run(brief);
  CHECK(header_of(now, "Probe-Modify-Response") == "a:g;");
  CHECK(header_of(now, "Probe-Modify-Response-New") == "a%02g%01");
  CHECK(run({method::post, "/v1/cs/configs/listener", "Listening-Configs="})
            .status
        == 400);
}

TEST_CASE("long poll: a publish ends the hold, nothing stays watched") {
  memory_node node;
  caller run(node);
  run(publish("content=x"));
  auto answer =
      run.start(listen(md5_x, "30000"), std::make_shared<test_link>());
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const auto count = [&](auto member) {
    const std::lock_guard lock(node.shared->mutex);
    return node.shared.get()->*member;
  };
  while (count(&memory_state::watched) == 0
         && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  CHECK(answer.wait_for(std::chrono::seconds(0))
        == std::future_status::timeout);
  run(publish("content=y"));
  REQUIRE(answer.wait_for(std::chrono::seconds(10))
          == std::future_status::ready);
  CHECK(body_of(answer.get()) == "a%02g%01\n");
  while (count(&memory_state::unwatched) == 0
         && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  CHECK(count(&memory_state::unwatched) == 1);
}

TEST_CASE("long poll: ends with its client") {
  memory_node node;
  caller run(node);
  run(publish("content=x"));
  auto link = std::make_shared<test_link>();
  auto answer = run.start(listen(md5_x, "30000"), link);
  run.post([link] { link->leave(); });
  CHECK(answer.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
}

TEST_CASE("instances: register, list, look up, beat, remove") {
  memory_node node;
  caller run(node);
  const auto unknown = json_of(run({method::get, list_s}));
  CHECK(unknown.at("hosts").as_array().empty());
  CHECK(unknown.at("name") == "DEFAULT_GROUP@@s");
  const std::string form = "serviceName=s&ip=1.1.1.1&port=80&enable=True";
  CHECK(body_of(run({method::post, "/v1/ns/instance", form})) == "ok");
  const auto listed = run({method::get, list_s});
  REQUIRE(listed.rendered);
  CHECK(run({method::get, list_s}).rendered == listed.rendered);
  CHECK(json_of(listed).at("hosts").at(0).at("valid") == true);
  CHECK(json_of(listed).at("hosts").at(0).at("ip") == "1.1.1.1");
  const auto one =
      run({method::get, "/v1/ns/instance?serviceName=s&ip=1.1.1.1&port=80"});
  CHECK(json_of(one).at("service") == "DEFAULT_GROUP@@s");
  const auto none =
      run({method::get, "/v1/ns/instance?serviceName=s&ip=1.1.1.2&port=80"});
  CHECK(none.status == 404);
  CHECK(body_of(none) == "no matched ip found!");
  const std::string beat =
      "/v1/ns/instance/beat?serviceName=s&ip=1.1.1.1&port=";
  CHECK(json_of(run({method::put, beat + "80"})).at("code") == 10200);
  CHECK(json_of(run({method::put, beat + "81"})).at("code") == 20404);
  CHECK(run({method::put, "/v1/ns/instance/beat?serviceName=s&beat=%7Bbad"})
            .status
        == 500);
  CHECK(body_of(run({method::del, "/v1/ns/instance?" + form})) == "ok");
  CHECK(json_of(run({method::get, list_s})).at("hosts").as_array().empty());
}

TEST_CASE("instances: refusals in each version's words") {
  memory_node node;
  caller run(node);
  const auto v1 = [&](std::string form) {
    return run({method::post, "/v1/ns/instance", std::move(form)});
  };
  CHECK(body_of(v1("ip=1.1.1.1&port=80"))
        == "Param 'serviceName' is required.");
  CHECK(body_of(v1("serviceName=s&ip=1.1.1.1")) == "Param 'port' is required.");
  CHECK(body_of(v1("serviceName=s&ip=1.1.1.1&port=80&weight=10001"))
        == "instance format invalid: The weights range from 0.0 to 10000.0");
  CHECK(body_of(v1("serviceName=s&ip=1.1.1.1&port=80&weight=nan"))
            .starts_with("For input string"));
  CHECK(body_of(v1("serviceName=s&ip=1.1.1.1&port=80&metadata=xx"))
        == "metadata format incorrect:xx");
  CHECK(body_of(v1("serviceName=@@s&ip=1.1.1.1&port=80"))
            .contains("groupName can't be empty"));
  CHECK(body_of(v1("serviceName=persistent&ip=1.1.1.1&port=80"))
        == "errCode: 400, errMsg: Current service DEFAULT_GROUP@@persistent is "
           "persistent service, can't register ephemeral instance. ");
  const auto v2 =
      run({method::post, "/v2/ns/instance", "serviceName=s&port=1"});
  CHECK(v2.status == 400);
  CHECK(json_of(v2).at("code") == 10000);
  CHECK(json_of(v2).at("data")
        == "Required parameter 'ip' type String is not present");
  const auto v3 = run({method::post, "/v3/client/ns/instance",
                       "serviceName=s&ip=1.1.1.1&port=1&heartBeat=true"});
  CHECK(v3.status == 200);
  CHECK(json_of(v3).at("code") == 21003);
}

TEST_CASE("namespaces: v1 and v2 see the same records") {
  memory_node node;
  caller run(node);
  run(publish("content=x"));
  const std::string v1 = "/v1/console/namespaces";
  const std::string v2 = "/v2/console/namespace";
  CHECK(
      body_of(run({method::post, v1, "customNamespaceId=n1&namespaceName=one"}))
      == "true");
  CHECK(
      body_of(run({method::post, v1, "customNamespaceId=n1&namespaceName=one"}))
      == "false");
  const auto again =
      run({method::post, v2, "namespaceId=n1&namespaceName=one"});
  CHECK(again.status == 400);
  CHECK(json_of(again).at("code") == 22000);
  CHECK(body_of(run({method::post, v1, "namespaceName=blank"})) == "true");
  const auto rows = json_of(run({method::get, v1})).at("data").as_array();
  REQUIRE(rows.size() == 3);
  CHECK(rows.at(0).at("namespace") == "public");
  CHECK(rows.at(0).at("configCount") == 1);
  CHECK(json_of(run({method::get, v2 + "?namespaceId=none"})).at("code")
        == 22001);
  CHECK(body_of(run({method::put, v1, "namespace=n1&namespaceShowName=a%23b"}))
        == "false");
  CHECK(body_of(run({method::del, v1 + "?namespaceId=n1"})) == "true");
  CHECK(json_of(run({method::del, v2 + "?namespaceId=n1"})).at("data") == true);
}

TEST_CASE("the log's level changes while running; what is no level is refused") {
  memory_node node;
  caller run(node);
  const std::string path = "/v3/admin/core/ops/log";
  const auto done = run({method::put, path, "logName=muster&logLevel=DEBUG"});
  CHECK(done.status == 200);
  CHECK(json_of(done).at("code") == 0);
  CHECK(node.log_level == "debug");
  const auto refused = [&](const std::string& query) {
    const auto answer = run({method::put, path + query});
    CHECK(answer.status == 400);
    CHECK(node.log_level == "debug");
    return std::string{json_of(answer).at("data").as_string()};
  };
  CHECK(refused("?logName=muster&logLevel=loud").contains("loud"));
  CHECK(refused("?logName=naming-main&logLevel=info").contains("logName"));
  CHECK(refused("?logName=muster").contains("logLevel"));
  CHECK(refused("?logLevel=info").contains("logName"));
}

TEST_CASE("state: health follows the node, login answers without accounts") {
  memory_node node;
  caller run(node);
  const std::string ready = "/v1/console/health/readiness";
  CHECK(run({method::get, ready}).status == 200);
  CHECK(json_of(run({method::get, "/v1/ns/operator/metrics"})).at("status")
        == "UP");
  node.state_now = api::node_state::starting;
  CHECK(run({method::get, ready}).status == 500);
  CHECK(run({method::get, "/v3/admin/core/state/readiness"}).status == 500);
  CHECK(json_of(run({method::get, "/v3/admin/core/state/readiness"})).at("code")
        == 30000);
  CHECK(run({method::get, "/v1/console/health/liveness"}).status == 200);
  CHECK(json_of(run({method::get, "/v1/ns/operator/metrics"})).at("status")
        == "STARTING");
  const auto login =
      run({method::post, "/v1/auth/login?username=me", "password=p"});
  CHECK(json_of(login).at("accessToken") == "AUTH_DISABLED");
  CHECK(json_of(login).at("tokenTtl") == 18000);
  CHECK(json_of(login).at("username") == "me");
  CHECK(run({method::post, "/v3/auth/user/login"}).status == 400);
}

TEST_CASE("settings: rules and what the state tells of them") {
  memory_node node;
  caller run(node);
  const call bad_name{method::post,
                      "/v1/ns/instance?serviceName=a%20b&ip=1.1.1.1&port=1"};
  const call long_metadata{method::post,
                           "/v1/ns/instance?serviceName=s&ip=1.1.1.1&port=1",
                           "metadata=k%3D" + std::string(1024, 'v')};
  CHECK(run(bad_name).status == 400);
  CHECK(run(long_metadata).status == 400);
  CHECK(body_of(run(publish("content=123456"))) == "true");
  auto parts = std::make_shared<nacos::http_parts>();
  parts->rules.check_parameters = false;
  parts->rules.content_length_max = 5;
  parts->rules.grays_max = 1;
  parts->retention_days = 7;
  run.parts = parts;
  CHECK(body_of(run(bad_name)) == "ok");
  CHECK(body_of(run(long_metadata)) == "ok");
  CHECK(
      run({method::post, "/v1/ns/instance?serviceName=s&ip=1.1.1.1&port=70000"})
          .status
      == 400);
  CHECK(body_of(run(publish("content=123456"))).contains("over 5"));
  CHECK(body_of(run(publish("content=12345&tag=one"))) == "true");
  CHECK(run(publish("content=12345&tag=two")).status == 400);
  const auto too_many = run({method::post, "/v2/cs/config",
                             "dataId=a&group=g&content=12345&tag=two"});
  CHECK(too_many.status == 400);
  CHECK(json_of(too_many).at("code") == 20010);
  CHECK(json_of(too_many).at("data")
        == "gray config version is over max count :1");
  const auto state = json_of(run({method::get, "/v1/console/server/state"}));
  CHECK(state.at("maxContent") == "5");
  CHECK(state.at("config_retention_days") == "7");
}
