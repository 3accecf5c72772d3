#include <algorithm>
#include <map>

#include "protocols/nacos/codec/config_choice.hpp"
#include "protocols/nacos/codec/listening.hpp"
#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/http/handlers.hpp"
#include "protocols/nacos/http/read.hpp"

/// Long polling for config changes (nacos-http 2.3).
namespace muster::nacos {

namespace {

using common::ask;
using common::gateway;

/// Shortest hold, and what is taken off the client's time-out so that the
/// answer is there before it gives up.
constexpr milliseconds hold_min{10'000};
constexpr milliseconds hold_margin{500};
/// Longest hold: the listener's deadline for held requests is above it.
constexpr milliseconds hold_max{120'000};

/// One poll while it is worked on; lives in the handler's coroutine.
struct poll {
  context& c;
  std::vector<listened> items;
  client_labels labels;
  std::unique_ptr<gateway::inbox> inbox;
  /// A wait ended without any news: time is up, the client went or the node
  /// stops.
  bool over = false;
};

key_view key_of(const listened& item) {
  return {space_or_public(item.tenant), item.group, item.data_id};
}

awaitable<result<bool>> differs(poll& p, const listened& item) {
  const auto snapshot =
      co_await common::load_config(asker_of(p.c), key_of(item));
  if (!snapshot)
    co_return std::unexpected(snapshot.error());
  co_return md5_for(snapshot->get(), p.labels) != item.md5;
}

/// Items whose md5 is not what this client would get now.
awaitable<result<std::vector<listened>>> compare(poll& p) {
  std::vector<listened> changed;
  for (const auto& item : p.items) {
    const auto other = co_await differs(p, item);
    if (!other)
      co_return std::unexpected(other.error());
    if (*other)
      changed.push_back(item);
  }
  co_return changed;
}

/// Watches all items, by group; each is registered when this returns.
awaitable<result<void>> watch(poll& p) {
  std::map<std::pair<std::string_view, std::string_view>,
           std::vector<std::string>>
      groups;
  for (const auto& item : p.items)
    groups[{space_or_public(item.tenant), item.group}].emplace_back(
        item.data_id);
  for (auto& [where, data_ids] : groups) {
    // The request's own deadline is that of the hold; registering is quick.
    api::open_config_group open;
    open.meta.trace = p.c.request.meta.trace;
    open.space = where.first;
    open.group = where.second;
    const auto group = co_await ask(p.c.node.namespaces(), std::move(open));
    if (!group)
      co_return std::unexpected(group.error());
    const auto done = co_await p.inbox->watch(*group, std::move(data_ids));
    if (!done)
      co_return std::unexpected(done.error());
  }
  co_return result<void>{};
}

using news = std::vector<std::shared_ptr<const api::config_fired>>;

/// The item that the news speak of and that differs now.
awaitable<result<std::vector<listened>>> compare_fired(poll& p,
                                                       const news& fired) {
  std::vector<listened> changed;
  for (const auto& one : fired) {
    const auto key = one->change.key.view();
    const auto item = std::ranges::find_if(
        p.items, [&](const listened& i) { return key_of(i) == key; });
    if (item == p.items.end())
      continue;
    const auto other = co_await differs(p, *item);
    if (!other)
      co_return std::unexpected(other.error());
    // A change that comes while others are held is told alone (2.3, 5).
    if (*other) {
      changed.push_back(*item);
      co_return changed;
    }
  }
  co_return changed;
}

/// What woke the poll: after a lost or overflowed watch everything is compared
/// anew.
awaitable<result<std::vector<listened>>> look_again(poll& p) {
  const auto fired = p.inbox->take_configs();
  const auto overflow = p.inbox->take_overflow();
  const auto lost = p.inbox->take_lost();
  p.over = fired.empty() && !overflow && !lost;
  if (lost) {
    const auto again = co_await watch(p);
    if (!again)
      co_return std::unexpected(again.error());
  }
  if (lost || overflow)
    co_return co_await compare(p);
  co_return co_await compare_fired(p, fired);
}

/// Waits until an item differs, `until` passes or the client goes.
awaitable<result<std::vector<listened>>> hold(poll& p, steady_time until) {
  p.inbox = gateway::here().open_inbox();
  const auto done = co_await watch(p);
  if (!done)
    co_return std::unexpected(done.error());
  // Compared before; again now, for changes that came in between.
  auto changed = co_await compare(p);
  while (changed && changed->empty() && !p.over) {
    co_await p.inbox->wait(until, p.c.client);
    changed = co_await look_again(p);
  }
  co_return changed;
}

response changed_reply(std::span<const listened> changed) {
  if (changed.empty())
    return text_reply(200, {});
  auto answer = text_reply(200, encode_changed(changed) + '\n');
  add_no_cache(answer);
  return answer;
}

/// For clients that do not wait (2.3, 6): headers of the old kind and the body.
response short_reply(std::span<const listened> changed) {
  auto answer = changed_reply(changed);
  if (changed.empty())
    add_no_cache(answer);
  answer.headers.emplace_back("Probe-Modify-Response", plain_changed(changed));
  answer.headers.emplace_back("Probe-Modify-Response-New",
                              encode_changed(changed));
  return answer;
}

std::optional<std::string> check_items(std::span<const listened> items,
                                       const request_rules& rules) {
  for (const auto& item : items) {
    checked_names names;
    names.space = item.tenant;
    names.group = item.group;
    names.data_id = item.data_id;
    if (auto fault = check_names(names, rules))
      return fault;
  }
  return std::nullopt;
}

response poll_error(const http::request& request, const error& e) {
  return error_reply(family::config_v1, request, to_api_error(e));
}

} // namespace

awaitable<response> config_listen_v1(context& c) {
  const auto& request = c.request;
  // Clients encode each word or the whole value once more.
  const auto text =
      common::url_decode(request.params().get("Listening-Configs"));
  auto items = parse_listening(text);
  if (!items)
    co_return poll_error(request, items.error());
  if (auto fault = check_items(*items, parts_of(c).rules))
    co_return error_reply(family::config_v1, request,
                          illegal_name(std::move(*fault)));
  poll p{c, std::move(*items), {}, nullptr};
  p.labels = {request.source_ip(), {}, request.header("Vipserver-Tag")};
  auto changed = co_await compare(p);
  if (!changed)
    co_return poll_error(request, changed.error());
  const auto timeout = trim(request.header("Long-Pulling-Timeout"));
  if (timeout.empty())
    co_return short_reply(*changed);
  if (!changed->empty()
      || truth(request.header("Long-Pulling-Timeout-No-Hangup")))
    co_return changed_reply(*changed);
  const auto wanted = parse_number<std::int64_t>(timeout);
  if (!wanted)
    co_return error_reply(family::config_v1, request, not_a_number(timeout));
  const auto asked = milliseconds{std::clamp<std::int64_t>(
      *wanted - hold_margin.count(), hold_min.count(), hold_max.count())};
  changed = co_await hold(p, c.node.time().steady() + asked);
  if (!changed)
    co_return poll_error(request, changed.error());
  co_return changed_reply(*changed);
}

} // namespace muster::nacos
