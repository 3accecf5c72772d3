#pragma once

#include <cstdint>
#include <optional>

#include "actors/core/base/clock.hpp"

/// Whether a client at the other end of a stream is still there.
namespace muster::watch {

/// After `idle` without a sign of life the client is probed; without a good
/// answer within `answer` it is dead. Once it is probed only that answer saves
/// it (Nacos; nacos-grpc.md, section 3.6).
///
/// Owned by one connection; no clock of its own.
class liveness {
public:
  struct limits {
    milliseconds idle{20'000};
    milliseconds answer{5'000};
  };
  enum class verdict : std::uint8_t { alive, probe, dead };

  liveness(limits bounds, steady_time now) : limits_(bounds), last_(now) {}

  /// The silence that is borne from now on; not while it is probed.
  void bear(milliseconds idle) { limits_.idle = idle; }

  /// A request or any answer on the stream came.
  void active(steady_time now) { last_ = now; }

  /// The probe was answered; a bad answer does not count.
  void probe_answered(bool ok, steady_time now) {
    if (!ok)
      return;
    last_ = now;
    probed_.reset();
  }

  /// `probe` is said once per idle spell, `dead` from its deadline on.
  verdict tick(steady_time now) {
    if (now < next_due())
      return verdict::alive;
    if (probed_)
      return verdict::dead;
    probed_ = now;
    return verdict::probe;
  }

  /// Before this moment `tick` has nothing to say.
  steady_time next_due() const {
    return probed_ ? *probed_ + limits_.answer : last_ + limits_.idle;
  }

private:
  limits limits_;
  steady_time last_;
  std::optional<steady_time> probed_;
};

} // namespace muster::watch
