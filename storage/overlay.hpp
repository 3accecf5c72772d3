#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "actors/core/model/state_view.hpp"
#include "actors/core/raft/ports.hpp"

/// Uncommitted changes as every state store keeps them.
namespace muster::storage {

using row_key = std::pair<table_id, std::string>;
using row_view = std::pair<table_id, std::string_view>;

/// By table, then by the key's unsigned bytes; looks up views without a copy.
struct row_less {
  using is_transparent = void;
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    if (a.first != b.first)
      return a.first < b.first;
    return std::string_view{a.second} < std::string_view{b.second};
  }
};

/// What becomes of rows; nullopt = erased.
using changed_rows = std::map<row_key, std::optional<std::string>, row_less>;

/// Changes of one group laid over its committed rows. One thread at a time.
class overlay final : public state_writer {
public:
  /// `committed` reads what is committed now, whenever it is asked.
  explicit overlay(std::unique_ptr<state_reader> committed)
    : committed_(std::move(committed)) {}

  std::optional<std::string> get(table_id table,
                                 std::string_view key) const override {
    const auto changed = rows_.find(row_view{table, key});
    return changed != rows_.end() ? changed->second
                                  : committed_->get(table, key);
  }

  void scan(table_id table, std::string_view from,
            const visitor& visit) const override {
    auto at = rows_.lower_bound(row_view{table, from});
    const auto left = [&] {
      return at != rows_.end() && at->first.first == table;
    };
    // A copy, because `visit` may change the row it is shown.
    const auto visit_changed = [&] {
      const auto& [row, value] = *at++;
      return !value || visit(row.second, std::string{*value});
    };
    bool more = true;
    committed_->scan(
      table, from, [&](std::string_view key, std::string_view value) {
        while (more && left() && at->first.second < key)
          more = visit_changed();
        if (more && left() && at->first.second == key)
          more = visit_changed();
        else if (more)
          more = visit(key, value);
        return more;
      });
    while (more && left())
      more = visit_changed();
  }

  void put(table_id table, std::string_view key,
           std::string_view value) override {
    change(table, key, std::string{value});
  }
  void erase(table_id table, std::string_view key) override {
    change(table, key, std::nullopt);
  }

  /// All changes, in the order of rows.
  const changed_rows& rows() const noexcept { return rows_; }
  void clear() { rows_.clear(); }

private:
  void change(table_id table, std::string_view key,
              std::optional<std::string> value) {
    const auto at = rows_.lower_bound(row_view{table, key});
    if (at != rows_.end() && at->first.first == table && at->first.second == key)
      at->second = std::move(value);
    else
      rows_.emplace_hint(at, row_key{table, key}, std::move(value));
  }

  std::unique_ptr<state_reader> committed_;
  changed_rows rows_;
};

/// A batch that keeps an overlay for each of its groups; a store says how to
/// read what is committed and how to write the changes.
class overlay_batch : public raft::state_store::batch {
public:
  state_writer& of(partition_id group) final { return at(group).rows; }

  void set_applied(partition_id group, raft::log_position position) final {
    at(group).applied = position;
  }

  result<void> commit() final {
    if (auto done = write(changed_); !done)
      return done;
    for (auto& [group, changed] : changed_) {
      changed.rows.clear();
      changed.applied.reset();
    }
    return {};
  }

protected:
  struct group_changes {
    overlay rows;
    std::optional<raft::log_position> applied; ///< if it was set
  };
  using all_changes = std::map<partition_id, group_changes>;

  /// Always reads the last committed rows.
  virtual std::unique_ptr<state_reader> committed(partition_id group) = 0;
  /// Makes all changes visible at once.
  virtual result<void> write(const all_changes& changed) = 0;

private:
  group_changes& at(partition_id group) {
    const auto found = changed_.find(group);
    if (found != changed_.end())
      return found->second;
    return changed_
      .emplace(group, group_changes{overlay{committed(group)}, {}})
      .first->second;
  }

  all_changes changed_;
};

} // namespace muster::storage
