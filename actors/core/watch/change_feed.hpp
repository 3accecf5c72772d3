#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "actors/core/base/ids.hpp"
#include "actors/core/model/apply.hpp"

/// The newest changes of one partition, for nodes that have no replica of it.
namespace muster::watch {

/// What a node has to wake watchers for; without the content.
struct config_change {
  log_index at;
  config_key key;
  bool content_changed = false;
  bool created = false;
  bool removed = false;
  bool operator==(const config_change&) const = default;
};

/// A bounded queue that says when it forgot something. Pure; not thread-safe.
class change_feed {
public:
  explicit change_feed(std::size_t changes_max) : changes_max_(changes_max) {}

  /// Forgets all: from here on, behind `applied`, it is told everything.
  void begin(log_index applied);
  /// In the order of their indexes; what is not behind `reached` is ignored.
  void add(log_index at, const model::config_changed& change);
  /// Everything up to here was added.
  void reach(log_index applied);
  log_index reached() const noexcept { return reached_; }

  struct part {
    std::vector<config_change> changes;
    log_index upto; ///< all up to here, behind where it was asked from
  };
  /// What happened behind `after`, about `changes_max` of it; all changes of one
  /// index come together. None: not all of that is known any more.
  std::optional<part> since(log_index after, std::size_t changes_max) const;

private:
  std::size_t changes_max_;
  std::deque<config_change> changes_;
  log_index complete_from_; ///< nothing behind it is missing
  log_index reached_;
};

} // namespace muster::watch
