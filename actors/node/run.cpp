#include "actors/node/run.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include "actors/node/application.hpp"
#include "actors/node/settings/logging.hpp"
#include "actors/node/settings/settings.hpp"

namespace muster {

namespace {

/// Signals are taken by `sigwait` on the main thread; every other thread
/// inherits the mask. A peer that closes must not end the process.
sigset_t block_signals() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return stop;
}

/// As many descriptors as the system lets us have: one per client.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(const loaded_settings& loaded,
          storage::environment_factory environment) {
  const auto& s = loaded.values;
  if (const auto started = logging::start(s.log); !started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return settings_exit_code;
  }
  for (const auto& w : loaded.warnings)
    spdlog::warn("{}", w);
  const auto signals = block_signals();
  raise_descriptor_limit();
  auto app = application::start(s, std::move(environment));
  if (!app) {
    spdlog::critical("cannot start: {}", app.error().message);
    logging::flush();
    return EXIT_FAILURE;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("signal {}: stopping", signal);
  (*app)->stop();
  spdlog::info("stopped");
  logging::flush();
  return EXIT_SUCCESS;
}

} // namespace

int run(int argc, char** argv, storage::environment_factory environment) {
  const auto loaded = load_settings(argc, argv, read_environment(environ));
  if (!loaded) {
    std::fprintf(stderr, "%s\n", loaded.error().message.c_str());
    return settings_exit_code;
  }
  switch (loaded->mode) {
    case start_mode::print:
      std::printf("%s", loaded->text.c_str());
      return EXIT_SUCCESS;
    case start_mode::check_config:
      for (const auto& w : loaded->warnings)
        std::printf("%s\n", w.c_str());
      std::printf("%s", loaded->text.c_str());
      return EXIT_SUCCESS;
    case start_mode::serve:
      return serve(*loaded, std::move(environment));
  }
  return EXIT_FAILURE;
}

} // namespace muster
