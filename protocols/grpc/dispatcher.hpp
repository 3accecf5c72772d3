#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "protocols/grpc/server.hpp"
#include "protocols/grpc/transport.hpp"

namespace muster::rpc {

/// Finds the handler of each call that comes in. Any thread.
class dispatcher {
public:
  dispatcher(method_table methods, const server_settings& settings);

  /// Takes over a call that has just arrived; runs on its queue's thread.
  void begin(std::unique_ptr<transport> call);

private:
  const method_table methods_;
  const server_settings& settings_;
  std::atomic<std::size_t> open_{0}; ///< unary calls
};

} // namespace muster::rpc
