#include <algorithm>
#include <thread>
#include <unordered_set>

#include <cstdlib>
#include <sys/sysinfo.h>

#include "protocols/common/json_out.hpp"
#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/http/handlers.hpp"
#include "protocols/nacos/http/read.hpp"

/// Whether naming serves, and its counts (nacos-http 3.3, 3.7).
namespace muster::nacos {

namespace {

using common::ask;
using common::json_out;

std::string_view status_word(api::node_state state) noexcept {
  switch (state) {
  case api::node_state::starting:
    return "STARTING";
  case api::node_state::serving:
    return "UP";
  case api::node_state::draining:
    break;
  }
  return "DOWN";
}

struct counts {
  std::size_t services = 0;
  std::size_t instances = 0;
  std::size_t watchers = 0;
  std::size_t heart_beat_clients = 0;
  std::size_t persistent_clients = 0;
  std::size_t connections = 0;
};

/// Adds one service; the client ids are views into it.
void add(counts& sum, const naming::service_view& view,
         std::unordered_set<std::string_view>& seen) {
  if (!exists(&view))
    return;
  ++sum.services;
  sum.instances += view.hosts.size();
  for (const auto& host : view.hosts) {
    const std::string_view id = host->client_id;
    if (!seen.insert(id).second)
      continue;
    if (id.ends_with("#true"))
      ++sum.heart_beat_clients;
    else if (id.ends_with("#false"))
      ++sum.persistent_clients;
    else
      ++sum.connections;
  }
}

/// Counts what namespaces with a record and `public` hold.
awaitable<result<counts>> count_all(context& c) {
  const auto& meta = c.request.meta;
  api::list_namespaces query{meta};
  const auto spaces =
      co_await ask(c.node.tables(partition_id{0}), std::move(query));
  if (!spaces)
    co_return std::unexpected(spaces.error());
  std::vector<std::string> ids{std::string{public_namespace}};
  for (const auto& row : spaces->rows)
    ids.push_back(row.id);
  counts sum;
  std::vector<naming::service_view_ptr> views; // keep what `seen` points into
  std::unordered_set<std::string_view> seen;
  for (auto& id : ids) {
    api::list_services all{meta, std::move(id), {}};
    const auto found = co_await ask(c.node.namespaces(), std::move(all));
    if (!found)
      co_return std::unexpected(found.error());
    for (const auto& slot : found->services) {
      views.push_back(slot->view());
      add(sum, *views.back(), seen);
      const auto watchers = co_await ask(slot->actor(), api::count_watchers{});
      sum.watchers += watchers.value_or(0);
    }
  }
  co_return sum;
}

/// Share of the machine's cores that had work over the last minute, the load
/// average, and the share of memory in use.
void write_machine(json_out& out) {
  double load = 0;
  if (getloadavg(&load, 1) != 1)
    load = 0;
  const auto cores = std::max(1U, std::thread::hardware_concurrency());
  struct sysinfo memory {};
  const auto known = sysinfo(&memory) == 0 && memory.totalram > 0;
  const auto used = known ? 1
                                - static_cast<double>(memory.freeram)
                                      / static_cast<double>(memory.totalram)
                          : 0;
  out.member("cpu", std::min(1.0, load / cores))
      .member("load", load)
      .member("mem", used);
}

/// `responsible…` counts equal the whole on one node; v2 leaves
/// `responsibleInstanceCount` out.
awaitable<or_error<std::string>> metrics(context& c, bool v1) {
  const auto status = status_word(c.node.state());
  std::string body;
  json_out out(body);
  out.object().member("status", status);
  const auto flag = trim(c.request.params().get("onlyStatus"));
  if (!flag.empty() && !truth(flag)) {
    const auto sum = co_await count_all(c);
    if (!sum)
      co_return refuse(to_api_error(sum.error()));
    const auto clients =
        sum->heart_beat_clients + sum->persistent_clients + sum->connections;
    out.member("serviceCount", sum->services)
        .member("instanceCount", sum->instances)
        .member("subscribeCount", sum->watchers);
    if (v1)
      out.member("responsibleInstanceCount", sum->instances);
    out.member("clientCount", clients)
        .member("connectionBasedClientCount", sum->connections)
        .member("ephemeralIpPortClientCount", sum->heart_beat_clients)
        .member("persistentIpPortClientCount", sum->persistent_clients)
        .member("responsibleClientCount", clients);
    write_machine(out);
  }
  out.end();
  co_return body;
}

} // namespace

awaitable<response> naming_metrics_v1(context& c) {
  auto body = co_await metrics(c, true);
  co_return body ? json_reply(std::move(*body))
                 : error_reply(family::naming_v1, c.request, body.error());
}

awaitable<response> naming_metrics_v2(context& c) {
  const auto body = co_await metrics(c, false);
  co_return body ? envelope(*body)
                 : error_reply(family::envelope, c.request, body.error());
}

awaitable<response> naming_health_v1(context& c) {
  std::string body;
  json_out(body)
      .object()
      .member("msg",
              "Hello! I am Nacos-Naming and healthy! total services: "
                  + std::to_string(c.node.services().size())
                  + ", local port:" + std::to_string(c.node.facts().http_port))
      .end();
  co_return json_reply(std::move(body));
}

} // namespace muster::nacos
