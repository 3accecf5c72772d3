#pragma once

#include "storage/rocksdb/engine.hpp"

namespace muster {

/// The whole life of a server process: reads settings, starts the application,
/// waits for SIGTERM or SIGINT, stops it. Gives the exit code: 0, 1 (cannot
/// start) or 2 (settings are wrong). `environment` is for tests that run a
/// server on a faulty file system.
int run(int argc, char** argv, storage::environment_factory environment = {});

} // namespace muster
