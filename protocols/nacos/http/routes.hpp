#pragma once

#include <memory>
#include <span>

#include "protocols/common/route.hpp"
#include "protocols/nacos/http/parts.hpp"

/// Nacos' HTTP APIs as one product of the listener.
namespace muster::nacos {

/// Every row of this build. What has no row is answered 404, below `/v1/ns/`
/// 501, in Nacos' forms.
std::span<const common::route> http_routes() noexcept;

/// Answers for requests that reach no handler (nacos-http 1.2, 1.4, 1.6, 1.12).
http::response refuse_request(const common::refusal& why,
                              const http::request& request);

/// Context path `/nacos`, the rows and the refusals. Views into static data.
/// Without `parts` the handlers use a default one.
common::product http_product(std::shared_ptr<const http_parts> parts = {});

} // namespace muster::nacos
