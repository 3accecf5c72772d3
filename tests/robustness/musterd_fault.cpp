// musterd on a disk that keeps in memory what was not synced: for it a SIGKILL
// is a power loss. FAULT_SYNC_DELAY_FILE names a file whose content is how many
// milliseconds longer each sync takes; it may change while the server runs.
// FAULT_DIE_AT=CALL:N has the power fail just before the Nth such call.
#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "actors/core/base/text.hpp"
#include "actors/node/run.hpp"
#include "storage/fault/fault_environment.hpp"

namespace {

constexpr std::chrono::milliseconds look_every{50};

/// Until the process ends.
void follow(const std::string& path, muster::storage::fault_disk& disk,
            const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any ended;
  while (!stop.stop_requested()) {
    std::ifstream file(path);
    if (int delay = 0; file >> delay)
      disk.slow_syncs(std::chrono::milliseconds{delay});
    std::unique_lock lock{mutex};
    ended.wait_for(lock, stop, look_every, [] { return false; });
  }
}

/// "sync:20"
bool order_death(std::string_view text, muster::storage::fault_disk& disk) {
  using call = muster::storage::disk_call;
  constexpr std::array<std::pair<std::string_view, call>,
                       muster::storage::disk_calls>
      names{{{"open", call::open},
             {"append", call::append},
             {"sync", call::sync},
             {"sync_directory", call::sync_directory},
             {"rename", call::rename},
             {"remove", call::remove},
             {"list", call::list},
             {"read", call::read}}};
  const auto colon = text.find(':');
  const auto named = std::ranges::find(
      names, text.substr(0, colon), &std::pair<std::string_view, call>::first);
  const auto nth =
      colon == text.npos
          ? std::nullopt
          : muster::parse_number<std::uint64_t>(text.substr(colon + 1));
  if (named == names.end() || !nth)
    return false;
  disk.fail(named->second, *nth, muster::storage::disk_fault::death);
  return true;
}

} // namespace

int main(int argc, char** argv) {
  auto faulty = muster::storage::make_fault_environment();
  std::jthread follower;
  if (const auto* path = std::getenv("FAULT_SYNC_DELAY_FILE"))
    follower = std::jthread(
        [disk = faulty.disk, path = std::string{path}](
            const std::stop_token& stop) { follow(path, *disk, stop); });
  if (const auto* text = std::getenv("FAULT_DIE_AT");
      text && !order_death(text, *faulty.disk)) {
    std::fprintf(stderr, "FAULT_DIE_AT=%s: it is CALL:N\n", text);
    return 2;
  }
  return muster::run(argc, argv, [&faulty] { return faulty.environment; });
}
