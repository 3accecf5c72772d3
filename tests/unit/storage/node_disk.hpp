#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/fault/fault_environment.hpp"
#include "storage/rocksdb/engine.hpp"
#include "tests/support/temporary_directory.hpp"

namespace muster::storage {

/// A data directory on a fault disk and the engine on it.
class node_disk {
public:
  explicit node_disk(std::size_t write_buffer_bytes = std::size_t{1} << 20) {
    options_.data = {directory_.path(), {node_id{1}, "test"}, {}, {}, {}};
    options_.write_buffer_bytes = write_buffer_bytes;
  }
  ~node_disk() { close(); }
  node_disk(const node_disk&) = delete;
  node_disk& operator=(const node_disk&) = delete;

  /// `prepare` sees the disk before anything is done with it.
  result<void>
  try_open(const std::function<void(fault_disk&)>& prepare = {}) {
    fault_ = make_fault_environment();
    if (prepare)
      prepare(*fault_.disk);
    options_.environment = [this] { return fault_.environment; };
    auto opened = engine::open(options_);
    if (!opened)
      return std::unexpected(opened.error());
    engine_ = std::move(*opened);
    return {};
  }
  void open() {
    const auto opened = try_open();
    REQUIRE_MESSAGE(opened.has_value(), opened.error().message);
  }
  void close() {
    engine_.reset();
    fault_.environment.reset();
  }
  void lose_power(unsynced what, std::uint64_t seed) {
    fault_.disk->power_off(what, seed);
    close();
  }

  engine& on() { return *engine_; }
  fault_disk& disk() { return *fault_.disk; }
  std::filesystem::path database() const { return directory_.path() / "db"; }
  std::filesystem::path tables() const { return directory_.path() / "tables"; }

private:
  test::temporary_directory directory_;
  fault_environment fault_;
  engine_options options_;
  std::unique_ptr<engine> engine_;
};

inline raft::entry make_entry(std::uint64_t index, std::uint64_t term,
                              std::string payload) {
  return {term_id{term}, log_index{index}, raft::entry_kind::command,
          std::make_shared<const std::string>(std::move(payload))};
}

} // namespace muster::storage
