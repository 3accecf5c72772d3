#pragma once

#include <memory>

#include "actors/core/base/result.hpp"
#include "actors/node/settings/settings.hpp"
#include "storage/rocksdb/engine.hpp"

/// The process as a whole: stores, node, doors, in their order.
namespace muster {

/// Everything that serves. Made, started, stopped and destroyed by main's thread.
/// Start order: data directory, stores, actors, threads, HTTP, gRPC; stop order is
/// the reverse. No logic of its own.
class application {
public:
  /// Opens the data directory and starts the actors. Errors name what is wrong
  /// for an operator (directory of another node, port taken, …).
  static result<std::unique_ptr<application>>
  start(const settings& s, storage::environment_factory environment);

  /// Stops what still runs.
  ~application();
  application(const application&) = delete;

  /// Whether clients are served: all partitions caught up.
  bool serving() const;

  /// Readiness turns false, nothing new is accepted, what was accepted is
  /// finished (at most `settings::server.drain_timeout`), tables are made
  /// durable.
  void stop();

private:
  struct parts;
  explicit application(std::unique_ptr<parts> p);
  std::unique_ptr<parts> parts_;
};

} // namespace muster
