// musterctl member …: asks a node's own HTTP API (protocols/muster).
#include <algorithm>
#include <cctype>
#include <memory>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include <CLI/CLI.hpp>

#include "actors/core/base/host_port.hpp"
#include "protocols/http_client/fetch.hpp"
#include "tools/musterctl/commands.hpp"

namespace muster::ctl {

namespace {

namespace json = boost::json;

constexpr milliseconds answer_timeout{30'000};

struct member_request {
  std::string node = "127.0.0.1:8848";
  std::string address;
};

result<http_client::answer> ask(const std::string& node,
                                const std::string& method,
                                const std::string& target) {
  constexpr std::uint16_t usual_port = 8848;
  const auto at = parse_host_port(node, usual_port);
  if (!at)
    return fail(errc::invalid_argument,
                "--node: '" + node + "' is not host or host:port");
  return http_client::fetch({.host = at->host,
                             .port = at->port,
                             .method = method,
                             .target = target},
                            {.at_most = answer_timeout});
}

std::string encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    constexpr char digits[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '.' || c == '-' || c == ':')
      out += c;
    else
      out += {'%', digits[byte >> 4U], digits[byte & 15U]};
  }
  return out;
}

/// The parsed answer of a request that was well.
result<json::value> call(const std::string& node, const std::string& method,
                         const std::string& target) {
  const auto answer = ask(node, method, target);
  if (!answer)
    return std::unexpected(answer.error());
  boost::system::error_code broken;
  auto body = json::parse(answer->body, broken);
  if (answer->status == 200 && !broken && body.is_object())
    return body;
  const auto* text = !broken && body.is_object()
                         ? body.as_object().if_contains("message")
                         : nullptr;
  return fail(errc::failed_precondition,
              node + " answered " + std::to_string(answer->status)
                  + (text && text->is_string()
                         ? ": " + std::string(text->as_string())
                         : ""));
}

/// A cell of the list.
std::string shown(const json::object& row, const char* name) {
  const auto* value = row.if_contains(name);
  if (!value)
    return "?";
  return value->is_string() ? std::string(value->as_string())
                            : json::serialize(*value);
}

result<std::string> list(const member_request& wanted) {
  const auto body = call(wanted.node, "GET", "/muster/v1/cluster/members");
  if (!body)
    return std::unexpected(body.error());
  const auto* rows = body->as_object().if_contains("members");
  if (!rows || !rows->is_array())
    return fail(errc::data_loss, wanted.node + " answered something else");
  constexpr std::size_t first_width = 32;
  constexpr std::size_t width = 12;
  std::string out;
  const auto put = [&](std::string text, std::size_t wide) {
    text.resize(std::max(text.size() + 1, wide), ' ');
    out += text;
  };
  const auto names = {"wish", "state", "held", "votes", "leads", "drained"};
  put("address", first_width);
  for (const auto* name : names)
    put(name, width);
  out += '\n';
  for (const auto& row : rows->as_array()) {
    if (!row.is_object())
      continue;
    put(shown(row.as_object(), "address"), first_width);
    for (const auto* name : names)
      put(shown(row.as_object(), name), width);
    out += '\n';
  }
  return out;
}

result<std::string> change(const member_request& wanted,
                           const std::string& method, const std::string& path) {
  const auto body = call(wanted.node, method,
                         "/muster/v1/cluster/members" + path
                             + "?address=" + encoded(wanted.address));
  if (!body)
    return std::unexpected(body.error());
  const bool changed = shown(body->as_object(), "changed") == "true";
  return wanted.address + (changed ? ": done\n" : ": was so already\n");
}

} // namespace

void add_member(CLI::App& app, action& chosen) {
  auto* member = app.add_subcommand("member", "Who is in the cluster");
  member->require_subcommand(1);
  // Its options may come after the commands below, which inherit this.
  member->fallthrough();
  const auto wanted = std::make_shared<member_request>();
  member->add_option("--node", wanted->node,
                     "HOST:PORT of a node to ask (127.0.0.1:8848)");
  member
      ->add_subcommand("list", "Shows the members, and the groups they hold, "
                               "vote in and lead")
      ->callback(
          [wanted, &chosen] { chosen = [wanted] { return list(*wanted); }; });
  const auto add = [&](const char* name, const char* about, const char* method,
                       const char* path) {
    auto* command = member->add_subcommand(name, about);
    command->add_option("address", wanted->address, "HOST:PORT of the member")
        ->required();
    command->callback([=, &chosen] {
      chosen = [=] { return change(*wanted, method, path); };
    });
  };
  add("add", "Takes a node in, or back that was draining", "POST", "");
  add("drain", "The member gives its votes and leaderships away", "POST",
      "/drain");
  add("remove", "The member leaves all groups and is forgotten", "DELETE", "");
}

} // namespace muster::ctl
