// Commands as they could stand in a log, applied one after the other: equal
// tables and outcomes on two replicas, whatever the commands say.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <google/protobuf/stubs/logging.h>

#include "actors/core/model/apply.hpp"
#include "actors/core/model/check.hpp"
#include "tests/support/map_state.hpp"

using namespace muster;

namespace {

/// The next piece of the input: one byte says of how many bytes.
std::string_view next_piece(std::string_view& rest) {
  const auto size = static_cast<unsigned char>(rest.front());
  const auto piece = rest.substr(1, size);
  rest.remove_prefix(1 + piece.size());
  return piece;
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  // Each refusal of a text would be a line.
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  test::map_state one;
  test::map_state other;
  for (std::uint64_t index = 1; !rest.empty(); ++index) {
    const std::string bytes{next_piece(rest)};
    pb::Command command;
    if (!command.ParseFromString(bytes) || !model::check_command(command))
      continue;
    const partition_id group{index % 2};
    const auto first = model::apply(command, group, log_index{index}, one);
    const auto second = model::apply(command, group, log_index{index}, other);
    if (one.rows != other.rows || first.result.code != second.result.code
        || first.result.id != second.result.id
        || first.events.size() != second.events.size())
      std::abort();
  }
  return 0;
}
