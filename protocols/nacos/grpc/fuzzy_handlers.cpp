#include "protocols/nacos/codec/names.hpp"
#include "protocols/nacos/grpc/fuzzy_sync.hpp"
#include "protocols/nacos/grpc/handlers.hpp"
#include "protocols/nacos/grpc/members.hpp"
#include "protocols/nacos/grpc/node_calls.hpp"
#include "protocols/nacos/grpc/pattern.hpp"

namespace muster::nacos::remote {

namespace {

using api::name_kind;

constexpr std::size_t config_batch_max = 20;
constexpr std::size_t service_batch_max = 10;

enum class wish : std::uint8_t { watch, cancel, other };

struct fuzzy_request {
  std::string text; ///< the pattern as sent: the watch's name
  fuzzy_pattern pattern;
  wish wanted = wish::other;
  bool initial = false;
  name_set known;
};

/// What a client says it has; keys of another shape or namespace are ignored.
void read_known(const boost::json::array& keys, name_kind kind,
                fuzzy_request& into) {
  for (const auto& value : keys) {
    const auto* text = value.if_string();
    if (!text)
      continue;
    if (kind == name_kind::config) {
      if (auto key = parse_config_group_key(*text);
          key && key->space == into.pattern.space)
        into.known.emplace(std::move(key->group), std::move(key->data_id));
    } else if (auto key = parse_service_group_key(*text);
               key && key->space == into.pattern.space) {
      into.known.emplace(std::move(key->group), std::move(key->service));
    }
  }
}

std::expected<fuzzy_request, reply> read_fuzzy(const request& r,
                                               name_kind kind) {
  members in(r.body);
  const auto text = in.text_or("groupKeyPattern");
  const auto word = in.text_or("watchType");
  const auto* known = in.array("receivedGroupKeys");
  fuzzy_request out{std::string{text}, parse_pattern(text),
                    word == "WATCH"          ? wish::watch
                    : word == "CANCEL_WATCH" ? wish::cancel
                                             : wish::other,
                    in.flag("initializing", false),
                    {}};
  if (!in.good())
    return std::unexpected(malformed());
  if (known)
    read_known(*known, kind, out);
  return out;
}

/// Keeps what the pattern accepts, as many as a watch may match and one more.
void keep(name_set& into, const fuzzy_pattern& pattern, const std::string& group,
          const std::string& name, std::size_t matches_max) {
  if (into.size() <= matches_max
      && pattern.names.matches(group, name))
    into.emplace(group, name);
}

awaitable<result<name_set>> matching_configs(request& r,
                                             const fuzzy_pattern& pattern) {
  name_set out;
  const auto most = r.limits.of(name_kind::config).matches_max;
  // Partition 0 holds no configs.
  for (std::uint64_t p = 1; p <= r.node.facts().partitions; ++p) {
    const partition_id part{p};
    api::list_config_names wanted{r.meta, part, pattern.space};
    const auto names
      = co_await ask(r.node.tables(part), std::move(wanted));
    if (!names)
      co_return std::unexpected(names.error());
    for (const auto& key : names->keys)
      keep(out, pattern, key.group, key.data_id, most);
  }
  co_return out;
}

/// Services that somebody publishes to: a mere subscription does not count.
awaitable<result<name_set>> matching_services(request& r,
                                              const fuzzy_pattern& pattern) {
  name_set out;
  const auto most = r.limits.of(name_kind::service).matches_max;
  api::list_services wanted{r.meta, pattern.space, {}};
  const auto listed = co_await ask(r.node.namespaces(), std::move(wanted));
  if (!listed)
    co_return std::unexpected(listed.error());
  for (const auto& slot : listed->services)
    if (!slot->view()->hosts.empty())
      keep(out, pattern, slot->key().group, slot->key().service, most);
  co_return out;
}

awaitable<reply> cancel(request& r, name_kind kind, const fuzzy_request& asked) {
  api::client_unwatch_names message{r.meta, kind, asked.pattern.space,
                                    asked.text};
  const auto done = co_await ask_client(r, std::move(message));
  r.limits.release(&r.from, kind, asked.text);
  co_return done ? good(r) : bad(r, done.error());
}

/// Registered first, listed second: no name can slip through between.
awaitable<reply> watch(request& r, name_kind kind, const fuzzy_request& asked) {
  if (!r.limits.hold(&r.from, kind, asked.text))
    co_return bad(r, code::patterns, "fuzzy watch pattern over limit");
  // The client may have gone before its pattern was entered.
  if (r.from.ended())
    r.limits.release(&r.from, kind, asked.text);
  const auto& pattern = asked.pattern;
  api::client_watch_names message{r.meta, kind, pattern.space, asked.text,
                                  [names = pattern.names](auto group,
                                                          auto name) {
                                    return names.matches(group, name);
                                  }};
  const auto done = co_await ask_client(r, std::move(message));
  if (!done) {
    r.limits.release(&r.from, kind, asked.text);
    co_return bad(r, done.error());
  }
  result<name_set> present;
  if (kind == name_kind::config)
    present = co_await matching_configs(r, pattern);
  else
    present = co_await matching_services(r, pattern);
  if (!present)
    co_return bad(r, present.error());
  const auto over = present->size() > r.limits.of(kind).matches_max;
  const fuzzy_sync sync{kind, pattern.space, asked.text, asked.initial, over};
  auto batches = plan_sync(sync, *present, asked.known,
                           kind == name_kind::config ? config_batch_max
                                                     : service_batch_max);
  if (!batches.empty())
    common::tell(r.from.actor(), api::client_sync_names{std::move(batches)});
  co_return over ? bad(r, code::matches, "fuzzy watch pattern matched over limit")
                 : good(r);
}

} // namespace

awaitable<reply> watch_config_names(request& r) {
  const auto asked = read_fuzzy(r, name_kind::config);
  if (!asked)
    co_return asked.error();
  if (asked->wanted == wish::watch)
    co_return co_await watch(r, name_kind::config, *asked);
  if (asked->wanted == wish::cancel)
    co_return co_await cancel(r, name_kind::config, *asked);
  co_return good(r); // Nacos does nothing, and says so to nobody
}

awaitable<reply> watch_service_names(request& r) {
  const auto asked = read_fuzzy(r, name_kind::service);
  if (!asked)
    co_return asked.error();
  if (asked->wanted == wish::watch)
    co_return co_await watch(r, name_kind::service, *asked);
  if (asked->wanted == wish::cancel)
    co_return co_await cancel(r, name_kind::service, *asked);
  co_return bad(r, code::invalid, "Unsupported request type");
}

} // namespace muster::nacos::remote
