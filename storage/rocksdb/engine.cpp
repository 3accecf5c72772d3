#include "storage/rocksdb/engine.hpp"

#include "storage/rocksdb/database.hpp"
#include "storage/rocksdb/log_store.hpp"
#include "storage/rocksdb/state_store.hpp"

namespace muster::storage {

/// In the order of making; the lock on the directory goes last.
struct engine::parts {
  parts(data_dir d, std::unique_ptr<database> log, std::unique_ptr<database> state)
    : directory(std::move(d)),
      log_base(std::move(log)),
      state_base(std::move(state)),
      logs(*log_base),
      tables(*state_base) {}

  data_dir directory;
  // Two databases: writes of one queue up behind each other, and a change of the
  // tables is not to wait for the log's sync.
  std::unique_ptr<database> log_base;
  std::unique_ptr<database> state_base;
  log_store logs;
  state_store tables;
};

result<std::unique_ptr<engine>> engine::open(const engine_options& options) {
  auto directory = data_dir::open(options.data);
  if (!directory)
    return std::unexpected(directory.error());
  auto log = database::open(options, directory->database());
  if (!log)
    return std::unexpected(log.error());
  auto state = database::open(options, directory->tables());
  if (!state)
    return std::unexpected(state.error());
  return std::unique_ptr<engine>{new engine{std::make_unique<parts>(
    std::move(*directory), std::move(*log), std::move(*state))}};
}

engine::engine(std::unique_ptr<parts> p) : parts_(std::move(p)) {}

engine::~engine() = default;

raft::log_store& engine::logs() noexcept { return parts_->logs; }

raft::state_store& engine::tables() noexcept { return parts_->tables; }

const identity& engine::owner() const noexcept {
  return parts_->directory.owner();
}

const data_dir& engine::directory() const noexcept { return parts_->directory; }

} // namespace muster::storage
