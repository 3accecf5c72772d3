#include "actors/core/watch/change_feed.hpp"

#include <algorithm>

namespace muster::watch {

void change_feed::begin(log_index applied) {
  changes_.clear();
  complete_from_ = reached_ = applied;
}

void change_feed::add(log_index at, const model::config_changed& change) {
  if (at <= reached_)
    return;
  changes_.push_back({at, change.key, change.content_changed, change.created,
                      change.removed});
  while (changes_.size() > changes_max_) {
    complete_from_ = changes_.front().at;
    changes_.pop_front();
  }
}

void change_feed::reach(log_index applied) {
  reached_ = std::max(reached_, applied);
}

std::optional<change_feed::part>
change_feed::since(log_index after, std::size_t changes_max) const {
  if (after < complete_from_)
    return std::nullopt;
  part out{{}, std::max(reached_, after)};
  auto next = std::ranges::upper_bound(changes_, after, {}, &config_change::at);
  for (; next != changes_.end() && next->at <= reached_; ++next) {
    if (out.changes.size() >= changes_max
        && next->at != out.changes.back().at) {
      out.upto = out.changes.back().at;
      break;
    }
    out.changes.push_back(*next);
  }
  return out;
}

} // namespace muster::watch
