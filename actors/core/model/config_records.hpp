#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "actors/core/model/apply_step.hpp"

/// Shared by the config parts of apply: from records to snapshots, and history.
namespace muster::model {

/// The grays of one config as its snapshot holds them.
struct loaded_grays {
  /// Sorted by (priority descending, name).
  std::vector<std::shared_ptr<const gray_version>> list;
  /// Newest revision among them; 0 if there are none.
  std::uint64_t revision = 0;
};

/// `config` is the config's key.
loaded_grays load_grays(const state_reader& state, std::string_view config);

/// Gives one gray, if any is left, this step's revision, so that the snapshot's
/// revision rises though the version that went left no record.
void touch_a_gray(const apply_step& step, std::string_view config);

/// Whether both are given to the same clients with the same content.
bool same_delivery(const pb::GrayRecord& a, const pb::GrayRecord& b);

/// Takes the texts out of the record.
std::shared_ptr<const config_version> to_version(pb::ConfigRecord&& record);

/// Null if there is no version at all.
config_snapshot_ptr make_snapshot(config_key key, std::uint64_t revision,
                                  std::shared_ptr<const config_version> formal,
                                  loaded_grays grays);

/// A history row with the texts of a version; the caller adds op and author.
pb::HistoryRecord to_history(pb::ConfigRecord&& record);
pb::HistoryRecord to_history(pb::GrayRecord&& record, std::string_view name);

/// Completes the row and writes it with its index entry.
void write_history(const apply_step& step, std::string_view config,
                   const char* op, const std::string& user,
                   const std::string& source_ip, pb::HistoryRecord row);

} // namespace muster::model
