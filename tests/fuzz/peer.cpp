// Traffic of another node: Raft's messages, what distro is told, answers.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <google/protobuf/stubs/logging.h>

#include "actors/core/distro/distro_core.hpp"
#include "actors/core/model/check.hpp"
#include "actors/core/raft/snapshot_stream.hpp"
#include "actors/core/raft/wire.hpp"
#include "actors/runtime/partition_wire.hpp"

using namespace muster;

namespace {

/// Two members, of which the other one says whatever it likes.
void hear(const pb::RaftTraffic& traffic) {
  constexpr node_id other{2};
  const distro::distro_settings settings;
  naming::revision_clock revisions;
  steady_time now{std::chrono::seconds(10)};
  distro::distro_core core({node_id{1}, 1}, settings, revisions, now);
  core.set_members(std::make_shared<const distro::ring>(
                       node_id{1}, std::vector<distro::peer>{
                                       {node_id{1}, "a:1", 1, false, true},
                                       {other, "b:1", 2, false, true}}),
                   now);
  for (const auto& each : traffic.distro()) {
    core.receive(other, each.message(), now);
    auto out = core.take_output(now);
    for (const auto& call : out.calls)
      core.answer(call, {});
    now += std::chrono::milliseconds(700);
    core.tick(now);
    static_cast<void>(core.take_output(now));
  }
}

void read_answer(const std::string& bytes) {
  pb::PartitionAnswer answer;
  if (!answer.ParseFromString(bytes))
    return;
  static_cast<void>(runtime::from_wire(answer.names()));
  static_cast<void>(runtime::from_wire(answer.counts()));
  for (const auto& each : answer.feed().changes())
    static_cast<void>(runtime::from_wire(each));
  static_cast<void>(runtime::from_wire(
      config_key{"public", "g", "d"}, std::move(*answer.mutable_config())));
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  // Each refusal of a text would be a line.
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  raft::snapshot_sink sink;
  static_cast<void>(sink.take(bytes));
  pb::RaftTraffic traffic;
  if (!traffic.ParseFromString(bytes))
    return 0;
  hear(traffic);
  for (const auto& each : traffic.answers())
    read_answer(each.read());
  for (const auto& each : traffic.calls())
    if (pb::Command command; command.ParseFromString(each.command()))
      static_cast<void>(model::check_command(command));
  for (auto& each : *traffic.mutable_messages())
    static_cast<void>(raft::from_wire(std::move(each)));
  return 0;
}
