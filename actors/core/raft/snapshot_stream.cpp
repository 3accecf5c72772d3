#include "actors/core/raft/snapshot_stream.hpp"

#include <limits>
#include <utility>

#include "actors/core/base/crc32c.hpp"
#include "muster/peer.pb.h"

namespace muster::raft {

result<std::string> snapshot_source::part(std::uint64_t number) {
  if (number == 0)
    next_ = start{};
  else if (number == newest_.number)
    next_ = newest_;
  else if (number != next_.number || ended_)
    return fail(errc::out_of_range,
                "part " + std::to_string(number) + " of a snapshot");
  auto end = next_;
  ++end.number;
  pb::SnapshotRows rows;
  rows.set_part(number);
  rows.set_last(true);
  std::size_t bytes = 0;
  const auto read =
      tables_->read(next_.after, [&](table_id table, std::string_view key,
                                     std::string_view value) {
        if (bytes >= part_bytes_) {
          rows.set_last(false);
          return false;
        }
        auto& row = *rows.add_rows();
        row.set_table(static_cast<std::uint32_t>(table));
        row.set_key(key.data(), key.size());
        row.set_value(value.data(), value.size());
        bytes += key.size() + value.size();
        end.after = {table, std::string(key)};
        return true;
      });
  if (!read)
    return std::unexpected(read.error());
  pb::SnapshotPart out;
  rows.SerializeToString(out.mutable_rows());
  end.checksum = crc32c(out.rows(), next_.checksum);
  out.set_checksum(end.checksum);
  newest_ = std::exchange(next_, std::move(end));
  ended_ = rows.last();
  return out.SerializeAsString();
}

snapshot_sink::snapshot_sink() = default;
snapshot_sink::~snapshot_sink() = default;
snapshot_sink::snapshot_sink(snapshot_sink&&) noexcept = default;
snapshot_sink& snapshot_sink::operator=(snapshot_sink&&) noexcept = default;

result<void> snapshot_sink::take(std::string_view part) {
  const auto damaged = [this] {
    return fail(errc::data_loss,
                "part " + std::to_string(next_) + " of a snapshot is damaged");
  };
  pb::SnapshotPart in;
  if (complete_
      || !in.ParseFromArray(part.data(), static_cast<int>(part.size())))
    return damaged();
  const auto checksum = crc32c(in.rows(), checksum_);
  auto rows = std::make_unique<pb::SnapshotRows>();
  if (checksum != in.checksum() || !rows->ParseFromString(in.rows())
      || rows->part() != next_)
    return damaged();
  rows_ = std::move(rows);
  checksum_ = checksum;
  ++next_;
  complete_ = rows_->last();
  return {};
}

result<void> snapshot_sink::fill(state_store::importer& to) {
  const auto rows = std::exchange(rows_, nullptr);
  if (!rows)
    return {};
  for (const auto& row : rows->rows()) {
    if (row.table() > std::numeric_limits<std::uint8_t>::max())
      return fail(errc::invalid_argument, "a row of a table that cannot be");
    const auto table = table_id{static_cast<std::uint8_t>(row.table())};
    if (auto added = to.add(table, row.key(), row.value()); !added)
      return added;
  }
  return {};
}

} // namespace muster::raft
