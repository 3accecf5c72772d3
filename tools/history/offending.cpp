#include <algorithm>
#include <set>
#include <string_view>

#include "tools/history/check.hpp"

namespace muster::history {

namespace {

/// Searches within a search are many; one that takes longer tells nothing.
constexpr std::uint64_t steps_of_one_max = 50'000;

using history = std::vector<operation>;

/// Whether the operation asks something of the store, so that it can be
/// loosened.
bool is_firm(const operation& o) {
  return o.outcome == fate::ok;
}

/// The same with less said: a read or refused compare-and-set is forgotten, a
/// write may have happened at any time or never.
void loosen(operation& o) {
  const bool changes = o.what == action::publish || o.what == action::remove
                       || (o.what == action::compare_and_set && o.swapped);
  o.outcome = changes ? fate::unknown : fate::failed;
  o.returned = never;
}

/// What was known at `moment`. `line` is the number in `all` from here on.
history until(std::span<const operation> all, std::int64_t moment) {
  history out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& o = all[i];
    if (o.invoked > moment || o.outcome == fate::failed)
      continue;
    out.push_back(o);
    out.back().line = i;
    if (!is_firm(o) || o.returned <= moment)
      continue;
    // Whether it will turn out to have swapped is not known either.
    if (o.what == action::compare_and_set && !o.swapped)
      out.back().swapped = true;
    loosen(out.back());
  }
  return out;
}

class reduction {
public:
  reduction(std::span<const operation> all, const bounds& within)
      : all_(all), within_(within) {
    within_.steps_max = std::min(within_.steps_max, steps_of_one_max);
    cut(within);
    for (auto size = std::max<std::size_t>(left_.size() / 2, 1);; size /= 2) {
      loosen_by(size);
      if (size <= 1)
        break;
    }
  }

  /// As they were recorded, not as loosened.
  history take() const {
    std::set<std::size_t> firm;
    std::set<std::string_view> contents;
    for (const auto& o : left_) {
      if (!is_firm(o))
        continue;
      firm.insert(o.line);
      if (o.content)
        contents.insert(*o.content);
      if (o.what == action::compare_and_set)
        contents.insert(o.expected);
    }
    history out;
    for (std::size_t i = 0; i < all_.size(); ++i)
      if (firm.contains(i) || is_write_of(contents, all_[i]))
        out.push_back(all_[i]);
    std::ranges::stable_sort(out, {}, &operation::invoked);
    return out;
  }

private:
  /// The shortest beginning that no store could have answered: whatever follows
  /// cannot mend it.
  void cut(const bounds& within) {
    std::vector<std::int64_t> moments;
    for (const auto& o : all_)
      if (is_firm(o))
        moments.push_back(o.returned);
    std::ranges::sort(moments);
    const auto bad = std::ranges::partition_point(moments, [&](auto moment) {
      return check_key(until(all_, moment), within) != verdict::violation;
    });
    left_ = until(all_, bad == moments.end() ? never : *bad);
    // Reads are loosened first: what is left tells of writes where it can.
    std::ranges::stable_partition(left_, [](const auto& o) {
      return o.what == action::read || o.what == action::local_read;
    });
  }

  /// Loosens runs of so many operations where a violation stays.
  void loosen_by(std::size_t size) {
    for (std::size_t from = 0; from < left_.size(); from += size) {
      const auto to = std::min(from + size, left_.size());
      auto fewer = left_;
      bool changed = false;
      for (auto i = from; i < to; ++i)
        if (is_firm(fewer[i])) {
          loosen(fewer[i]);
          changed = true;
        }
      if (changed && check_key(fewer, within_) == verdict::violation)
        left_ = std::move(fewer);
    }
  }

  static bool is_write_of(const std::set<std::string_view>& contents,
                          const operation& o) {
    return (o.what == action::publish || o.what == action::compare_and_set)
           && contents.contains(*o.content);
  }

  std::span<const operation> all_;
  bounds within_;
  history left_;
};

} // namespace

std::vector<operation> offending(std::span<const operation> operations,
                                 const bounds& within) {
  if (check_key(operations, within) != verdict::violation)
    return {};
  return reduction(operations, within).take();
}

} // namespace muster::history
