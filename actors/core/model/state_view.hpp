#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "actors/core/base/ids.hpp"
#include "actors/core/base/result.hpp"

/// Ports of the state machines: ordered bytes, grouped in tables. Declared here
/// beside their contract, implemented under `storage/`.
namespace muster {

/// A table of a partition. The number is part of the disk format: never reuse.
enum class table_id : std::uint8_t {
  config = 1,
  gray = 2,
  history = 3,
  /// Secondary index of `history`: (change time, nid) -> primary key.
  history_by_time = 4,
  /// Secondary index of `config`: id -> primary key.
  config_by_id = 5,
  /// Number of formal configs by namespace.
  config_count = 6,
  name_space = 16,
  service = 17,
  instance = 18,
  instance_override = 19,
  /// The cluster itself; one row.
  cluster = 24,
  /// Last applied (client, sequence) pairs, for retried proposals.
  dedupe = 32,
};

/// Read access to one partition's tables at one moment.
///
/// Keys compare as unsigned bytes. A disk error is not a "not found": it is
/// thrown as `state_error`, which only the state worker catches (it stops the
/// replica). Not safe for concurrent use; one reader belongs to one thread.
class state_reader {
public:
  virtual ~state_reader() = default;

  virtual std::optional<std::string> get(table_id table,
                                         std::string_view key) const = 0;

  /// Visits keys k with from <= k, in order, while `visit` returns true and the
  /// table lasts. The views are valid during the call of `visit` only.
  using visitor = std::function<bool(std::string_view key,
                                     std::string_view value)>;
  virtual void scan(table_id table, std::string_view from,
                    const visitor& visit) const = 0;
};

/// A reader that sees its own uncommitted writes. All writes become visible and
/// durable-with-the-log together, at the commit of the batch they belong to.
class state_writer : public state_reader {
public:
  virtual void put(table_id table, std::string_view key,
                   std::string_view value) = 0;
  virtual void erase(table_id table, std::string_view key) = 0;
};

/// Thrown by the port's implementations when the store cannot answer.
struct state_error {
  error reason;
};

/// Visits all keys that begin with `prefix`.
void scan_prefix(const state_reader& reader, table_id table,
                 std::string_view prefix, const state_reader::visitor& visit);

} // namespace muster
