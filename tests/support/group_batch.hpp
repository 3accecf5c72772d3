#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "actors/core/raft/ports.hpp"

namespace muster::test {

/// A batch of one group.
class group_batch final : public state_writer {
public:
  group_batch(raft::state_store& tables, partition_id group)
    : all_(tables.begin()), group_(group) {}

  std::optional<std::string> get(table_id table,
                                 std::string_view key) const override {
    return all_->of(group_).get(table, key);
  }
  void scan(table_id table, std::string_view from,
            const visitor& visit) const override {
    all_->of(group_).scan(table, from, visit);
  }
  void put(table_id table, std::string_view key,
           std::string_view value) override {
    all_->of(group_).put(table, key, value);
  }
  void erase(table_id table, std::string_view key) override {
    all_->of(group_).erase(table, key);
  }
  result<void> commit(raft::log_position applied) {
    all_->set_applied(group_, applied);
    return all_->commit();
  }

private:
  std::unique_ptr<raft::state_store::batch> all_;
  partition_id group_;
};

inline std::unique_ptr<group_batch> begin(raft::state_store& tables,
                                          partition_id group) {
  return std::make_unique<group_batch>(tables, group);
}

/// Visits all rows that an export of the group gives now.
inline result<void>
export_rows(raft::state_store& tables, partition_id group,
            const raft::state_store::row_visitor& visit) {
  auto exporter = tables.export_group(group);
  if (!exporter)
    return std::unexpected(exporter.error());
  return (*exporter)->read({}, visit);
}

} // namespace muster::test
