#include "protocols/muster/routes.hpp"

#include "protocols/muster/members.hpp"

namespace muster::admin {

namespace {

using common::permission;
using common::route;
using http::method;

constexpr permission may(common::action what) {
  return {common::scope::admin, what, common::resource::fixed,
          "muster/cluster"};
}
constexpr auto read = may(common::action::read);
constexpr auto write = may(common::action::write);

constexpr route table[] = {
    {method::get, "/v1/cluster/members", read, common::gate::none,
     &members_list},
    {method::post, "/v1/cluster/members", write, common::gate::none,
     &member_add},
    {method::post, "/v1/cluster/members/drain", write, common::gate::none,
     &member_drain},
    {method::del, "/v1/cluster/members", write, common::gate::none,
     &member_remove},
};

response refuse(const common::refusal& why, const http::request&) {
  return error_answer(common::status_of(why.kind), "refused", why.detail);
}

} // namespace

common::product http_product() {
  return {.name = "muster",
          .context_path = "/muster",
          .routes = table,
          .refuse = &refuse};
}

} // namespace muster::admin
