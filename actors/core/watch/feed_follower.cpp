#include "actors/core/watch/feed_follower.hpp"

#include <algorithm>

namespace muster::watch {

bool feed_follower::shown(log_index from, steady_time now) {
  from_ = from;
  since_ = now;
  if (told_)
    return false;
  told_ = from;
  return true;
}

void feed_follower::hidden(log_index upto) {
  if (!from_)
    return;
  // Only who knew everything before them knows what the own tables told then.
  if (told_ >= from_)
    told_ = std::max(*told_, upto);
  from_.reset();
}

feed_follower::order feed_follower::take(std::optional<log_index> asked,
                                         log_index upto, bool gap) {
  if (!wants_part())
    return {};
  // What lies behind is the own tables' to tell.
  const auto end = from_ ? std::min(upto, *from_) : upto;
  told_ = std::max(told_.value_or(end), end);
  // Somebody may have watched before the feed was where it is.
  return {gap || !asked, end};
}

bool feed_follower::overdue(steady_time now) {
  if (!from_ || told_ >= from_ || now - since_ < wait_)
    return false;
  told_ = from_;
  return true;
}

} // namespace muster::watch
