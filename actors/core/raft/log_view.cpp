#include "actors/core/raft/log_view.hpp"

#include <algorithm>
#include <utility>

#include "actors/core/base/invariant.hpp"

namespace muster::raft {

namespace {

std::size_t bytes_of(const entry& e) {
  return sizeof(entry) + (e.payload ? e.payload->size() : 0);
}

} // namespace

log_view::log_view(const stored_group& stored)
    : start_(stored.snapshot.last), last_{stored.last_term, stored.last},
      runs_(stored.terms) {
  MUSTER_INVARIANT(last_.index >= start_.index,
                   "the log does not end before its snapshot");
  MUSTER_INVARIANT(last_.index == start_.index || !runs_.empty(),
                   "the terms of stored entries are known");
}

std::optional<term_id> log_view::term_at(log_index index) const {
  if (index == start_.index)
    return start_.term;
  if (index < start_.index || index > last_.index)
    return std::nullopt;
  const auto after =
      std::ranges::upper_bound(runs_, index, {}, &term_run::first);
  return std::prev(after)->term;
}

log_position log_view::newest_not_above(const log_position& limit) const {
  auto index = std::min(limit.index, last_.index);
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    if (run->first > index)
      continue;
    if (run->term <= limit.term && index > start_.index)
      return {run->term, index};
    index = log_index{run->first.value - 1};
    if (index <= start_.index)
      break;
  }
  return start_;
}

void log_view::append(entry e) {
  MUSTER_INVARIANT(e.index == last_.index.next() && e.term >= last_.term,
                   "an entry follows the last one");
  if (runs_.empty() || runs_.back().term != e.term)
    runs_.push_back({e.term, e.index});
  last_ = {e.term, e.index};
  bytes_ += bytes_of(e);
  recent_.push_back(std::move(e));
}

void log_view::truncate(log_index from) {
  MUSTER_INVARIANT(from > start_.index, "a snapshot is never truncated");
  while (!recent_.empty() && recent_.back().index >= from) {
    bytes_ -= bytes_of(recent_.back());
    recent_.pop_back();
  }
  if (from > last_.index)
    return;
  const log_index end{from.value - 1};
  const auto term = term_at(end);
  while (!runs_.empty() && runs_.back().first >= from)
    runs_.pop_back();
  last_ = {*term, end};
}

void log_view::compact(log_index upto) {
  if (upto <= start_.index)
    return;
  const auto term = term_at(upto);
  MUSTER_INVARIANT(term, "what is compacted was in the log");
  start_ = {*term, upto};
  release(upto);
  // The run that covers the first entry left stays.
  while (runs_.size() > 1 && runs_[1].first <= upto.next())
    runs_.erase(runs_.begin());
  if (last_.index == upto)
    runs_.clear();
}

void log_view::reset(const log_position& position) {
  start_ = last_ = position;
  runs_.clear();
  recent_.clear();
  bytes_ = 0;
}

std::optional<std::vector<entry>>
log_view::in_memory(log_index from, log_index to, std::size_t bytes_max) const {
  if (from < first_in_memory())
    return std::nullopt;
  std::vector<entry> found;
  std::size_t bytes = 0;
  for (auto i = from.value - first_in_memory().value;
       i < recent_.size() && recent_[i].index < to; ++i) {
    bytes += bytes_of(recent_[i]);
    if (!found.empty() && bytes > bytes_max)
      break;
    found.push_back(recent_[i]);
  }
  return found;
}

std::vector<entry> log_view::newest_of(log_index after, log_index upto) const {
  const auto from = std::max(after.next(), first_in_memory());
  auto found = in_memory(from, upto.next(), ~std::size_t{0});
  return found ? std::move(*found) : std::vector<entry>{};
}

void log_view::release(log_index upto) {
  while (!recent_.empty() && recent_.front().index <= upto) {
    bytes_ -= bytes_of(recent_.front());
    recent_.pop_front();
  }
}

} // namespace muster::raft
