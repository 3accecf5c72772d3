// musterd on a disk that keeps in memory what was not synced: for it a SIGKILL
// is a power loss. FAULT_SYNC_DELAY_FILE names a file whose content is how many
// milliseconds longer each sync takes; it may change while the server runs.
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

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

} // namespace

int main(int argc, char** argv) {
  auto faulty = muster::storage::make_fault_environment();
  std::jthread follower;
  if (const auto* path = std::getenv("FAULT_SYNC_DELAY_FILE"))
    follower = std::jthread(
        [disk = faulty.disk, path = std::string{path}](
            const std::stop_token& stop) { follow(path, *disk, stop); });
  return muster::run(argc, argv, [&faulty] { return faulty.environment; });
}
