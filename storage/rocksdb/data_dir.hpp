#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "actors/core/base/ids.hpp"
#include "actors/core/base/result.hpp"

/// The directory a node keeps its data in, and whose it is.
namespace muster::storage {

/// Who a data directory belongs to. Written once, when it is made.
struct identity {
  node_id node;
  /// Id of a cluster founded from this directory, drawn when it was made; so it
  /// also tells this directory from one that was there before. Letters, digits,
  /// '-', '_' and '.', 1…128 of them.
  std::string cluster;
  /// Into so many partitions configs are divided; a key's place follows from it.
  std::uint32_t partitions = 16;
  bool operator==(const identity&) const = default;
};

struct data_dir_options {
  std::filesystem::path directory;
  /// Written if the directory is new; else ignored.
  identity fresh;
  /// If set, a directory of another node is refused.
  std::optional<node_id> expected_node;
  /// If set, a directory of another cluster is refused.
  std::optional<std::string> expected_cluster;
  /// If set, a directory with another number of partitions is refused.
  std::optional<std::uint32_t> expected_partitions;
};

/// Layout: `IDENTITY` (text), `LOCK` (held while a process uses the directory)
/// `db/` (RocksDB, the log) and `tables/` (RocksDB, the state).
///
/// Owned by the engine; movable; the lock goes with the last owner or with the
/// process. Any one thread. Crash: `IDENTITY` is written to a temporary file,
/// synced, renamed and the directory synced, before anything else is put there;
/// a crash leaves an empty directory or a complete identity.
class data_dir {
public:
  /// Version of everything below the directory. A higher one on disk is
  /// refused: an older program never guesses at newer data.
  static constexpr std::uint32_t format_version = 1;

  /// Makes the directory (mode 0700) if it is not there, locks it, checks or
  /// writes its identity. Errors name the file and the reason:
  /// `failed_precondition` (other node, cluster or number of partitions, newer
  /// format, no IDENTITY beside existing data), `unavailable` (another process has it),
  /// `data_loss` (IDENTITY does not parse), `invalid_argument` (`fresh` or the
  /// path cannot be used), `internal` (the system refused). Nothing is changed
  /// when an existing directory is refused.
  static result<data_dir> open(const data_dir_options& options);

  data_dir(data_dir&& other) noexcept;
  data_dir& operator=(data_dir&& other) noexcept;
  ~data_dir();

  const identity& owner() const noexcept { return owner_; }
  /// A small text kept beside the databases under `name` (letters); nothing if
  /// there is none. `data_loss` if it is not what was written.
  result<std::optional<std::string>> load_note(const std::string& name) const;
  /// Durable when it returns; a crash leaves the note before or this one.
  result<void> store_note(const std::string& name, std::string_view text) const;

  /// Where the log's database goes.
  std::filesystem::path database() const { return directory_ / "db"; }
  /// Where the tables' database goes.
  std::filesystem::path tables() const { return directory_ / "tables"; }

private:
  data_dir(std::filesystem::path directory, identity owner, int lock);

  std::filesystem::path directory_;
  identity owner_;
  int lock_ = -1;
};

} // namespace muster::storage
