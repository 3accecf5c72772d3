#include "protocols/common/node_calls.hpp"

#include <string>
#include <utility>

namespace muster::common {

namespace {

partition_id partition_of(const asker& by, key_view key) {
  return model::config_partition(key.space, key.group,
                                 by.node.facts().partitions);
}

/// A refusal by `apply` is an error to who asked.
result<model::outcome> checked(result<model::outcome> answer) {
  if (answer && answer->code != errc::ok)
    return std::unexpected(error{answer->code, std::move(answer->message)});
  return answer;
}

} // namespace

awaitable<result<config_snapshot_ptr>> load_config(asker by, key_view key) {
  if (auto known = by.node.configs().find(key))
    co_return std::move(*known);
  api::load_config wanted{
      by.meta,
      {std::string{key.space}, std::string{key.group}, std::string{key.name}}};
  auto loaded =
      co_await ask(by.node.tables(partition_of(by, key)), std::move(wanted));
  if (!loaded)
    co_return std::unexpected(std::move(loaded.error()));
  co_return std::move(loaded->snapshot);
}

awaitable<result<model::outcome>>
propose(asker by, partition_id to, std::shared_ptr<const pb::Command> command) {
  api::propose message{by.meta, std::move(command)};
  auto answer = co_await ask(by.node.replica(to), std::move(message));
  co_return checked(std::move(answer));
}

awaitable<result<model::outcome>>
change_config(asker by, key_view key,
              std::shared_ptr<const pb::Command> command) {
  return propose(by, partition_of(by, key), std::move(command));
}

awaitable<result<model::outcome>>
change_service(asker by, const service_key& key,
               std::shared_ptr<const pb::Command> command) {
  const auto make = [&] { return api::change_service{by.meta, command}; };
  auto answer = co_await ask_service(by, key, make);
  co_return checked(std::move(answer));
}

} // namespace muster::common
