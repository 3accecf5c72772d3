#include "storage/rocksdb/engine.hpp"

#include "storage/rocksdb/database.hpp"
#include "storage/rocksdb/log_store.hpp"
#include "storage/rocksdb/state_store.hpp"

namespace muster::storage {

/// In the order of making; the lock on the directory goes last.
struct engine::parts {
  parts(data_dir d, std::unique_ptr<database> b)
    : directory(std::move(d)), base(std::move(b)), logs(*base), tables(*base) {}

  data_dir directory;
  std::unique_ptr<database> base;
  log_store logs;
  state_store tables;
};

result<std::unique_ptr<engine>> engine::open(const engine_options& options) {
  auto directory = data_dir::open(options.data);
  if (!directory)
    return std::unexpected(directory.error());
  auto base = database::open(options, directory->database());
  if (!base)
    return std::unexpected(base.error());
  return std::unique_ptr<engine>{new engine{
    std::make_unique<parts>(std::move(*directory), std::move(*base))}};
}

engine::engine(std::unique_ptr<parts> p) : parts_(std::move(p)) {}

engine::~engine() = default;

raft::log_store& engine::logs() noexcept { return parts_->logs; }

raft::state_store& engine::tables() noexcept { return parts_->tables; }

const identity& engine::owner() const noexcept {
  return parts_->directory.owner();
}

} // namespace muster::storage
