#pragma once

#include <atomic>
#include <cstdint>

#include "actors/core/base/ids.hpp"

namespace muster::cluster {

/// Which tables the readers of one node get of one partition, its own or another
/// node's, and how new these are at least, so that nobody reads here what is
/// older than was read here before. Who answers with another node's tables and
/// who answers with the own ones run on threads of their own: each writes first
/// what the other has to see, and looks then, so that at least one of them finds
/// out when both want to (Dekker's handshake). Thread-safe, lock-free.
class partition_view {
public:
  /// Whether readers get the own tables.
  bool is_here() const noexcept { return here_.load(); }

  /// What readers get is not older.
  log_index floor() const noexcept { return log_index{floor_.load()}; }

  /// Before anybody reads.
  void begin(bool here) noexcept { here_ = here; }

  /// Asked before anything goes to a reader, a writer or a watcher that another
  /// node answered with what it had at `at`. False: the own tables are shown by
  /// now, which may be older; nothing of that may be given until they are not.
  [[nodiscard]] bool admit(log_index at) noexcept {
    raise(at);
    return !is_here();
  }

  /// Shows the own tables. By who answers from them, and answers nobody
  /// meanwhile. False: they are older than what was given before.
  [[nodiscard]] bool show(log_index applied) noexcept {
    if (is_here())
      return true;
    if (applied < floor())
      return false;
    here_ = true;
    if (applied >= floor())
      return true;
    here_ = false;
    return false;
  }

  /// From now on readers get another node's, no older than the own. By who
  /// answers from these.
  void hide(log_index applied) noexcept {
    raise(applied);
    here_ = false;
  }

private:
  void raise(log_index at) noexcept {
    auto known = floor_.load();
    while (known < at.value && !floor_.compare_exchange_weak(known, at.value)) {
    }
  }

  std::atomic<bool> here_{false};
  std::atomic<std::uint64_t> floor_{0};
};

} // namespace muster::cluster
