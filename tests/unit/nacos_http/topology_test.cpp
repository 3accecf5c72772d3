// Clients' streams over HTTP: who is connected, loads, and moving them.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/api/errors.hpp"
#include "tests/unit/nacos_http/memory_node.hpp"

using namespace muster;
using namespace muster::test;
using http::method;

namespace {

/// Notes what was asked.
struct noted_clients final : api::client_streams {
  api::client_counts counts() const override { return {2, 1}; }
  std::vector<api::client_row> rows() const override {
    api::client_row row;
    row.info.connection_id = "17_10.0.0.9_5000";
    row.info.client_ip = "10.0.0.9";
    row.info.remote_address = "10.0.0.8";
    row.info.version = "Nacos-Java-Client:v3.1.0";
    row.info.app = "shop";
    row.info.labels = {{"source", "sdk"}};
    row.remote_port = "5000";
    row.local_port = 9848;
    row.since = wall_time{milliseconds{17}};
    row.active = wall_time{milliseconds{18}};
    return {row};
  }
  bool reset(std::string_view id, std::string_view target) override {
    resets.emplace_back(id, target);
    return true;
  }
  std::size_t shed(std::size_t keep,
                   std::span<const std::string> targets) override {
    sheds.emplace_back(keep, std::vector(targets.begin(), targets.end()));
    return 1;
  }

  std::vector<std::pair<std::string, std::string>> resets;
  std::vector<std::pair<std::size_t, std::vector<std::string>>> sheds;
};

struct balancer_facts {
  std::atomic<double> factor{-1};
  std::atomic<bool> fails{false};
};

api::balancer_actor::behavior_type run_balancer(api::balancer_actor::pointer,
                                                balancer_facts* facts) {
  return {
      [](const api::survey_loads&) {
        api::load_survey out;
        out.members = 3;
        out.rows = {{node_id{1}, "10.0.0.1:8848", 31, 30, 0.5, 0.25},
                    {node_id{2}, "10.0.0.2:8848", 10, 10, 1.5, 1}};
        return out;
      },
      [facts](
          const api::balance_clients& m) -> caf::result<api::clients_balanced> {
        facts->factor = m.factor;
        if (facts->fails)
          return api::to_caf({errc::unavailable, "node 2 is mute"});
        return api::clients_balanced{3};
      },
  };
}

struct fixture {
  fixture() : balancer(node.system().spawn(run_balancer, &facts)), run(node) {
    auto parts = std::make_shared<nacos::topology_parts>();
    parts->clients = [this] { return clients; };
    parts->balancer = [this] { return balancer; };
    run.parts = std::move(parts);
  }
  ~fixture() { caf::anon_send_exit(balancer, caf::exit_reason::user_shutdown); }

  boost::json::value json(const call& what) {
    return boost::json::parse(body_of(run(what)));
  }

  memory_node node;
  balancer_facts facts;
  std::shared_ptr<noted_clients> clients = std::make_shared<noted_clients>();
  api::balancer_actor balancer;
  caller run;
};

const std::string v2 = "/v2/core/loader/";
const std::string v3 = "/v3/admin/core/loader/";

} // namespace

TEST_CASE("loader: the clients of this node") {
  fixture f;
  const auto bare = f.json({method::get, v2 + "current"});
  CHECK(bare == f.json({method::get, v3 + "current"}).at("data"));
  const auto& one = bare.at("17_10.0.0.9_5000");
  CHECK(one.at("traced") == false);
  CHECK(one.at("connected") == true);
  CHECK(one.at("labels") == boost::json::parse(R"({"source":"sdk"})"));
  CHECK(one.at("metaInfo")
        == boost::json::parse(
            R"({"connectType":"GRPC","clientIp":"10.0.0.9",)"
            R"("remoteIp":"10.0.0.8","remotePort":5000,"localPort":9848,)"
            R"("version":"Nacos-Java-Client:v3.1.0",)"
            R"("connectionId":"17_10.0.0.9_5000",)"
            R"("createTime":"1970-01-01T00:00:00.017+00:00",)"
            R"("lastActiveTime":18,"appName":"shop","clusterSource":false,)"
            R"("sdkSource":true,"labels":{"source":"sdk"},"appLabels":)"
            R"({"ClientVersion":"Nacos-Java-Client:v3.1.0",)"
            R"("AppName":"shop"}})"));
  f.clients = nullptr; // the gRPC port is not open
  CHECK(body_of(f.run({method::get, v2 + "current"})) == "{}");
}

TEST_CASE("loader: loads of all members") {
  fixture f;
  CHECK(f.json({method::get, v3 + "cluster"}).at("data")
        == boost::json::parse(
            R"({"detail":[)"
            R"({"address":"10.0.0.1:8848","sdkConCount":30,"conCount":31,)"
            R"("load":"0.500000","cpu":"0.250000"},)"
            R"({"address":"10.0.0.2:8848","sdkConCount":10,"conCount":10,)"
            R"("load":"1.500000","cpu":"1.000000"}],)"
            R"("memberCount":3,"metricsCount":2,"completed":false,"max":30,)"
            R"("min":10,"avg":20,"total":40,"threshold":"22.0"})"));
  const auto bare = f.json({method::get, v2 + "cluster"});
  CHECK(bare.at("threshold").as_double() == doctest::Approx(22));
  CHECK(bare.at("detail").at(0).at("metric").at("sdkConCount") == "30");
  CHECK(bare.at("detail").at(1).at("metric").at("cpu") == "1.000000");
  f.balancer = nullptr; // it is being restarted
  CHECK(f.run({method::get, v3 + "cluster"}).status == 503);
}

TEST_CASE("loader: clients are sent away") {
  fixture f;
  CHECK(f.json({method::post, v3 + "reloadCurrent", "count=5"}).at("data")
        == nullptr);
  CHECK(body_of(f.run({method::get, v2
                                        + "reloadCurrent?count=0"
                                          "&redirectAddress=10.0.0.2:8848"}))
        == "success");
  REQUIRE(f.clients->sheds.size() == 2);
  CHECK(f.clients->sheds[0]
        == std::pair{std::size_t{5}, std::vector<std::string>{}});
  CHECK(
      f.clients->sheds[1]
      == std::pair{std::size_t{0}, std::vector<std::string>{"10.0.0.2:8848"}});
  CHECK(f.run({method::post, v3 + "reloadClient", "connectionId=a"}).status
        == 200);
  CHECK(body_of(f.run({method::get, v2
                                        + "reloadClient?connectionId=b"
                                          "&redirectAddress=[::1]:8848"}))
        == "success");
  CHECK(f.clients->resets
        == std::vector<std::pair<std::string, std::string>>{
            {"a", ""}, {"b", "[::1]:8848"}});
}

TEST_CASE("loader: clients are spread") {
  fixture f;
  CHECK(f.json({method::post, v3 + "smartReloadCluster"}).at("code") == 0);
  CHECK(f.facts.factor == 0.1);
  CHECK(f.json({method::post, v3 + "smartReloadCluster", "loaderFactorStr=0.5"})
            .at("code")
        == 0);
  CHECK(f.facts.factor == 0.5);
  CHECK(body_of(f.run({method::get, v2 + "smartReloadCluster?loaderFactor=1"}))
        == "Ok");
  CHECK(f.facts.factor == 1);
  f.facts.fails = true;
  CHECK(body_of(f.run({method::get, v2 + "smartReloadCluster"})) == "Fail");
  CHECK(f.run({method::post, v3 + "smartReloadCluster"}).status == 503);
}

TEST_CASE("loader: what is missing or wrong changes nothing") {
  fixture f;
  for (const auto* form :
       {"", "count=", "count=x", "count=-1", "count=99999999999",
        "count=1&redirectAddress=nowhere", "count=1&redirectAddress=a:0",
        "count=1&redirectAddress=:8848", "count=1&redirectAddress=a%0Ab:1"}) {
    CAPTURE(form);
    const auto answer = f.run({method::post, v3 + "reloadCurrent", form});
    CHECK(answer.status == 400);
  }
  CHECK(
      f.json({method::post, v3 + "reloadClient"}).at("data")
      == "Required request parameter 'connectionId' for method parameter type "
         "String is not present");
  for (const auto* factor : {"x", "-0.1", "1.1", "NaN", "Infinity"}) {
    CAPTURE(factor);
    CHECK(f.run({method::post, v3 + "smartReloadCluster",
                 std::string("loaderFactor=") + factor})
              .status
          == 400);
  }
  CHECK(f.clients->sheds.empty());
  CHECK(f.clients->resets.empty());
  CHECK(f.facts.factor == -1);
}
