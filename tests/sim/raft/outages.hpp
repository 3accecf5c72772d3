#pragma once

#include <cstdint>
#include <vector>

namespace muster::sim {

/// What clients who write all the time go through (reliability.md, P6). An
/// episode goes from when links break until a write that was begun after they
/// were whole again is done. Throws `violation` if that takes too long, or if
/// the members changed their leader too often.
class outages {
public:
  struct episode {
    std::uint64_t longest_ms = 0; ///< without a write done
    std::uint64_t back_ms = 0;    ///< from whole links to a write done
    std::uint64_t leaders = 0;    ///< elected meanwhile
  };

  enum class clients : std::uint8_t {
    served, ///< write all the time, and have to get that done
    hopeful,
    quiet, ///< write nothing until the links are whole
  };

  void begins(std::uint64_t now, clients meanwhile);
  /// The links are whole; so many blows fell.
  void heals(std::uint64_t now, std::uint64_t blows);
  void elected(std::uint64_t now);
  void acknowledged(std::uint64_t begun, std::uint64_t now);
  /// To be called at each step.
  void look(std::uint64_t now) const;

  /// Nobody writes now.
  bool is_quiet() const {
    return phase_ == phase::broken && clients_ == clients::quiet;
  }
  /// No episode runs, and that for so long, and writes are done.
  bool rests(std::uint64_t now, std::uint64_t ms) const {
    return phase_ == phase::rest && last_write_ > 0 && now >= since_ + ms;
  }
  const std::vector<episode>& episodes() const noexcept { return episodes_; }

private:
  enum class phase : std::uint8_t { rest, broken, healed };

  phase phase_ = phase::rest;
  std::uint64_t since_ = 0;
  clients clients_ = clients::hopeful;
  std::uint64_t blows_ = 0;
  std::uint64_t last_write_ = 0;
  /// Elected in the rest so far.
  std::uint64_t uncalled_ = 0;
  episode now_;
  std::vector<episode> episodes_;
};

} // namespace muster::sim
