// The routes table: every row is reachable, once, and states who may call it.
#include <doctest/doctest.h>

#include <array>
#include <set>

#include "protocols/common/router.hpp"
#include "protocols/nacos/http/routes.hpp"

using namespace muster;
using namespace muster::nacos;

TEST_CASE("routes: each row is found with and without the context path") {
  const std::array products{http_product()};
  REQUIRE(common::router::check(products));
  const common::router router(products);
  CHECK(router.rows().size() == http_routes().size());
  for (const auto& row : http_routes()) {
    for (const std::string context : {"/nacos", ""}) {
      std::vector<http::request::field> values;
      const auto path = context + std::string{row.pattern};
      const auto found = router.find(row.verb, path, values);
      CAPTURE(path);
      REQUIRE(found.route);
      CHECK(found.route->row == &row);
    }
  }
}

TEST_CASE("routes: HEAD finds GET, other methods are told what there is") {
  const std::array products{http_product()};
  const common::router router(products);
  std::vector<http::request::field> values;
  const auto head =
      router.find(http::method::head, "/nacos/v1/cs/configs", values);
  REQUIRE(head.route);
  CHECK(head.route->row->verb == http::method::get);
  const auto put =
      router.find(http::method::put, "/nacos/v1/cs/configs", values);
  CHECK_FALSE(put.route);
  CHECK(put.allow.contains("POST"));
}

TEST_CASE("routes: only what is open to all asks for no permission") {
  const std::set<std::string_view> open{
      "/v1/ns/operator/metrics",
      "/v1/ns/ops/metrics",
      "/v2/ns/operator/metrics",
      "/v2/ns/ops/metrics",
      "/v1/ns/health/server",
      "/v1/console/namespaces",
      "/v2/console/namespace/list",
      "/v1/console/server/state",
      "/v3/console/server/state",
      "/v3/admin/core/state",
      "/v1/console/health/liveness",
      "/v1/console/health/readiness",
      "/v2/console/health/liveness",
      "/v2/console/health/readiness",
      "/v3/console/health/liveness",
      "/v3/console/health/readiness",
      "/v3/admin/core/state/liveness",
      "/v3/admin/core/state/readiness",
      "/v3/admin/core/ops/liveness",
      "/v3/admin/core/ops/readiness",
      "/v1/auth/login",
      "/v1/auth/users/login",
      "/v3/auth/user/login",
      "/actuator/prometheus",
  };
  for (const auto& row : http_routes()) {
    CAPTURE(row.pattern);
    const auto reads = row.verb == http::method::get
                       || row.pattern == "/v1/cs/configs/listener";
    if (row.needs.what == common::action::none) {
      CHECK(open.contains(row.pattern));
      continue;
    }
    CHECK(row.needs.where != common::scope::always);
    CHECK(row.needs.of != common::resource::none);
    CHECK((row.needs.what == common::action::read) == reads);
    if (row.needs.of == common::resource::fixed)
      CHECK_FALSE(row.needs.fixed_name.empty());
  }
}

TEST_CASE("routes: old versions have a gate, v3 has none") {
  for (const auto& row : http_routes()) {
    CAPTURE(row.pattern);
    CHECK((row.switched_by == common::gate::none)
          == !(row.pattern.starts_with("/v1/")
               || row.pattern.starts_with("/v2/")));
  }
}
