#pragma once

#include <optional>

#include "actors/core/base/clock.hpp"
#include "actors/core/base/ids.hpp"

namespace muster::watch {

/// Up to where watchers of one node were told what changed in a partition: by
/// the feed of a node that has it (`change_feed`), or by the own tables, which
/// tell everything themselves as long as they are shown. What nobody can tell any
/// more, watchers find out for themselves: they "begin anew", and compare. Being
/// told twice does no harm. Pure; not thread-safe; owned by the partition's proxy.
class feed_follower {
public:
  /// So long the feed is asked for what changed before the own tables were shown:
  /// perhaps nobody else shows the partition now.
  explicit feed_follower(milliseconds wait) : wait_(wait) {}

  /// The own tables tell everything behind `from`. True: watchers begin anew,
  /// since nobody knows what they were told before.
  [[nodiscard]] bool shown(log_index from, steady_time now);

  /// The own tables told everything up to `upto`, and tell nothing more.
  void hidden(log_index upto);

  /// Whether the own tables tell what happens, as far as known.
  bool is_here() const noexcept { return from_.has_value(); }

  /// Whether the feed is still needed.
  bool wants_part() const noexcept { return !from_ || told_ < from_; }
  /// From where on; none: from where it is.
  std::optional<log_index> after() const noexcept { return told_; }

  struct order {
    bool anew = false; ///< watchers begin anew
    log_index upto;    ///< of the part's changes, those up to here are told
  };
  /// The feed, asked behind `asked`, told all up to `upto`, or it has forgotten
  /// something (`gap`).
  [[nodiscard]] order take(std::optional<log_index> asked, log_index upto,
                           bool gap);

  /// True: it took too long, watchers begin anew.
  [[nodiscard]] bool overdue(steady_time now);

private:
  milliseconds wait_;
  std::optional<log_index> told_;
  std::optional<log_index> from_; ///< set while the own tables tell
  steady_time since_{};
};

} // namespace muster::watch
