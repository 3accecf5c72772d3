#include "protocols/muster/members.hpp"

#include <string>
#include <utility>

#include "actors/core/base/host_port.hpp"
#include "actors/core/cluster/members.hpp"
#include "protocols/common/ask.hpp"
#include "protocols/common/json_out.hpp"

namespace muster::admin {

namespace {

using common::json_out;
using what = api::change_member::what;

unsigned status_of(errc code) {
  switch (code) {
  case errc::invalid_argument:
    return 400;
  case errc::not_found:
    return 404;
  case errc::failed_precondition:
  case errc::already_exists:
    return 409;
  case errc::unavailable:
  case errc::resource_exhausted:
    return 503;
  case errc::deadline_exceeded:
    return 504;
  default:
    return 500;
  }
}

response answer_of(const error& why) {
  return error_answer(status_of(why.code), to_string(why.code), why.message);
}

response json(std::string body) {
  response out;
  out.content_type = "application/json;charset=UTF-8";
  out.body = std::move(body);
  return out;
}

std::string_view name_of(pb::MemberRecord::State state) {
  switch (state) {
  case pb::MemberRecord::DRAINING:
    return "draining";
  case pb::MemberRecord::LEAVING:
    return "leaving";
  default:
    return "active";
  }
}

std::string address_of(const pb::MemberAddress& at) {
  return at.host() + ":" + std::to_string(at.http_port());
}

void write(json_out& out, const api::member_survey::row& row, bool all_known) {
  const auto& record = row.record;
  out.object()
      .member("address", address_of(record.address()))
      .member("id", std::to_string(record.node()))
      .member("wish", name_of(record.state()))
      .member("state", cluster::name_of(row.state))
      .member("entered", !record.incarnation().empty())
      .member("held", row.held)
      .member("votes", row.votes)
      .member("leads", row.leads)
      .member("drained", record.state() != pb::MemberRecord::ACTIVE && all_known
                             && row.votes == 0 && row.leads == 0)
      .end();
}

awaitable<response> change(context& c, what kind) {
  const auto members = c.node.members();
  auto who = member_at(c.request.params().get("address"), members->own());
  if (!who)
    co_return answer_of(who.error());
  const auto placement = c.node.placement();
  if (!placement && c.node.facts().standalone)
    co_return answer_of({errc::failed_precondition,
                            "this node stands alone: start it with "
                            "--members to make it a cluster"});
  api::change_member message{c.request.meta, kind, std::move(*who)};
  const auto done = co_await common::ask(placement, std::move(message));
  if (!done)
    co_return answer_of(done.error());
  if (done->code != errc::ok)
    co_return answer_of({done->code, done->message});
  std::string body;
  json_out(body).object().member("changed", !done->existed).end();
  co_return json(std::move(body));
}

} // namespace

response error_answer(unsigned status, std::string_view code,
                      std::string_view message) {
  std::string body;
  json_out(body)
      .object()
      .member("error", code)
      .member("message", message)
      .end();
  auto out = json(std::move(body));
  out.status = status;
  return out;
}

result<api::member> member_at(std::string_view address,
                              const api::member& like) {
  const auto none = [&] {
    return fail(errc::invalid_argument,
                "'" + std::string(address) + "' is no address (host:port)");
  };
  const auto at = parse_host_port(address);
  if (!at)
    return none();
  const auto shifted = [&](std::uint16_t of_like) {
    return at->port + of_like - like.http_port;
  };
  const auto sdk = shifted(like.sdk_port);
  const auto cluster_port = shifted(like.cluster_port);
  for (const auto each : {sdk, cluster_port})
    if (each < 1 || each > 65535)
      return none();
  return api::member{.id = cluster::id_of(at->host, at->port),
                     .host = at->host,
                     .http_port = at->port,
                     .sdk_port = static_cast<std::uint16_t>(sdk),
                     .cluster_port = static_cast<std::uint16_t>(cluster_port)};
}

awaitable<response> members_list(context& c) {
  const auto placement = c.node.placement();
  if (!placement && c.node.facts().standalone)
    co_return answer_of(
        {errc::failed_precondition, "this node stands alone"});
  api::survey_members message{c.request.meta};
  const auto seen = co_await common::ask(placement, std::move(message));
  if (!seen)
    co_return answer_of(seen.error());
  const bool all_known = seen->groups_known == seen->groups;
  std::string body;
  json_out out(body);
  out.object()
      .member("groups", seen->groups)
      .member("groupsKnown", seen->groups_known);
  out.key("members").array();
  for (const auto& row : seen->rows)
    write(out, row, all_known);
  out.end().end();
  co_return json(std::move(body));
}

awaitable<response> member_add(context& c) {
  return change(c, what::add);
}

awaitable<response> member_drain(context& c) {
  return change(c, what::drain);
}

awaitable<response> member_remove(context& c) {
  return change(c, what::remove);
}

} // namespace muster::admin
