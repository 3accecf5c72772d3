#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "protocols/common/auth_gate.hpp"
#include "protocols/common/metrics.hpp"
#include "protocols/common/route.hpp"
#include "protocols/common/router.hpp"

/// From a request's head to the row that answers it, or to a refusal.
namespace muster::http {

/// The products of one listener. Immutable, any thread.
class site {
public:
  site(std::span<const common::product> products, common::auth_switches auth,
       std::array<bool, common::gate_count> gates, const api::node& node)
      : router_(products), auth_(auth), gates_(gates), node_(node) {
    // nop
  }

  /// Fills `request.path_values`.
  common::router::found find(http::request& request) const {
    return router_.find(request.verb, request.path, request.path_values);
  }

  /// What stands against calling the row: a node that is still starting, a
  /// compatibility gate, then the permission (nacos-http 1.13).
  std::optional<common::refusal> check(const common::route& row,
                                       const http::request& request) const;

  /// The refusal in the form of `owner` (null: the first product's).
  response refuse(const common::refusal& why, const common::product* owner,
                  const http::request& request) const;

  /// Labels of the rows, in the order of `bound_route::index`.
  std::vector<common::request_metrics::row_labels> labels() const;
  std::size_t rows() const noexcept { return router_.rows().size(); }

private:
  common::router router_;
  common::auth_gate auth_;
  std::array<bool, common::gate_count> gates_;
  const api::node& node_;
};

} // namespace muster::http
