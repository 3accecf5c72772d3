#include "protocols/nacos/grpc/node_calls.hpp"

namespace muster::nacos::remote {

namespace {

partition_id partition_of(const request& r, key_view key) {
  return model::config_partition(key.space, key.group,
                                 r.node.facts().partitions);
}

result<model::outcome> checked(result<model::outcome> answer) {
  if (answer && answer->code != errc::ok)
    return std::unexpected(error{answer->code, std::move(answer->message)});
  return answer;
}

} // namespace

awaitable<result<config_snapshot_ptr>> load_config(request& r, key_view key) {
  if (auto known = r.node.configs().find(key))
    co_return std::move(*known);
  api::load_config wanted{r.meta,
                          {std::string{key.space}, std::string{key.group},
                           std::string{key.name}}};
  auto loaded
    = co_await ask(r.node.tables(partition_of(r, key)), std::move(wanted));
  if (!loaded)
    co_return std::unexpected(std::move(loaded.error()));
  co_return std::move(loaded->snapshot);
}

awaitable<result<model::outcome>>
change_config(request& r, key_view key,
              std::shared_ptr<const pb::Command> command) {
  api::propose message{r.meta, std::move(command)};
  auto answer = co_await ask(r.node.replica(partition_of(r, key)),
                             std::move(message));
  co_return checked(std::move(answer));
}

awaitable<result<model::outcome>>
change_service(request& r, const service_key& key,
               std::shared_ptr<const pb::Command> command) {
  if (const auto slot = r.node.services().find(key.view())) {
    api::change_service message{r.meta, command};
    auto answer = co_await ask(slot->actor(), std::move(message));
    // An actor that has just gone did nothing: the next one is asked.
    if (answer || answer.error().code != errc::unavailable)
      co_return checked(std::move(answer));
  }
  api::open_service wanted{r.meta, key};
  const auto opened = co_await ask(r.node.namespaces(), std::move(wanted));
  if (!opened)
    co_return std::unexpected(opened.error());
  api::change_service message{r.meta, std::move(command)};
  auto answer = co_await ask(opened->slot->actor(), std::move(message));
  co_return checked(std::move(answer));
}

} // namespace muster::nacos::remote
