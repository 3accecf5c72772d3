#include "protocols/http/site.hpp"

#include <algorithm>
#include <string>

namespace muster::http {

using common::refusal;
using common::refusal_kind;

namespace {

bool states_allow(const response& answer) {
  return std::ranges::any_of(answer.headers, [](const auto& field) {
    return equal_ignoring_case(field.first, "Allow");
  });
}

} // namespace

std::optional<refusal> site::check(const common::route& row,
                                   const http::request& request) const {
  // Login, state and health answer always.
  if (row.needs.where != common::scope::always
      && node_.state() == api::node_state::starting)
    return refusal{refusal_kind::busy,
                   "server is STARTING now, please try again later!", &row, {}};
  if (!gates_[static_cast<std::size_t>(row.switched_by)])
    return refusal{refusal_kind::switched_off,
                   "this API is switched off by a compatibility setting",
                   &row,
                   {}};
  if (auto allowed = auth_.decide(row.needs, request); !allowed)
    return refusal{
        refusal_kind::forbidden, std::move(allowed.error().message), &row, {}};
  return std::nullopt;
}

response site::refuse(const refusal& why, const common::product* owner,
                      const http::request& request) const {
  const auto& product = owner != nullptr ? *owner : router_.first_product();
  auto answer = product.refuse(why, request);
  // RFC 9110, 15.5.6; a product may state it itself.
  if (!answer.rendered && answer.status == 405 && !states_allow(answer))
    answer.headers.emplace_back("Allow", why.allow);
  if (!answer.rendered && why.kind == refusal_kind::busy)
    answer.headers.emplace_back("Retry-After", "1");
  return answer;
}

std::vector<common::request_metrics::row_labels> site::labels() const {
  std::vector<common::request_metrics::row_labels> out;
  for (const auto& bound : router_.rows())
    out.push_back({std::string(to_string(bound.row->verb)),
                   bound.owner->context_path + std::string(bound.row->pattern),
                   std::string(bound.owner->name)});
  return out;
}

} // namespace muster::http
