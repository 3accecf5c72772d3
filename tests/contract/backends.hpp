#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "storage/memory/memory_store.hpp"
#include "storage/rocksdb/engine.hpp"
#include "tests/support/temporary_directory.hpp"

/// The implementations of the stores that keep one contract.
namespace muster::test {

struct memory_backend {
  /// Nothing outlives the object; what the contract says about a reopened
  /// store then has to hold for the one that went on.
  void reopen() {}
  raft::log_store& logs() { return logs_; }
  raft::state_store& tables() { return tables_; }

private:
  storage::memory_log_store logs_;
  storage::memory_state_store tables_;
};

struct rocksdb_backend {
  rocksdb_backend() { reopen(); }

  void reopen() {
    engine_.reset();
    storage::engine_options options;
    options.data = {directory_.path(), {node_id{1}, "test"}, {}, {}, {}};
    auto opened = storage::engine::open(options);
    REQUIRE_MESSAGE(opened.has_value(), opened.error().message);
    engine_ = std::move(*opened);
  }
  raft::log_store& logs() { return engine_->logs(); }
  raft::state_store& tables() { return engine_->tables(); }

private:
  temporary_directory directory_;
  std::unique_ptr<storage::engine> engine_;
};

#define FOR_ALL_BACKENDS ::muster::test::memory_backend, \
  ::muster::test::rocksdb_backend

} // namespace muster::test

TYPE_TO_STRING(muster::test::memory_backend);
TYPE_TO_STRING(muster::test::rocksdb_backend);
