#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

namespace rocksdb {
class Env;
} // namespace rocksdb

/// A disk that fails on demand. For test programs only; never linked into the
/// server.
namespace muster::storage {

/// The calls that can be made to fail, counted each on its own.
enum class disk_call : std::uint8_t {
  open, append, sync, sync_directory, rename, remove, list, read
};
inline constexpr std::size_t disk_calls = 8;

enum class disk_fault : std::uint8_t {
  io_error,
  no_space,
  death ///< the process gets SIGKILL: the power fails before the call
};

/// What becomes of the bytes that were written but not synced.
enum class unsynced : std::uint8_t {
  /// None reaches the disk.
  lost,
  /// A beginning of them, of any length, does: the last write is torn.
  torn
};

/// Commands to a fault file system and what it counted.
///
/// The file system keeps what a real one keeps in its page cache apart from the
/// directory on disk: bytes until their file is synced; new, renamed and
/// removed names until their directory is synced. So the directory holds at
/// each moment what a power loss would leave, and a SIGKILL of the process is
/// one. The database's own lock and text log (LOCK, LOG*) are not kept apart.
///
/// Any thread.
class fault_disk {
public:
  virtual ~fault_disk() = default;

  /// The `nth` call from now of this kind (1 = the next) fails. One
  /// order at a time per kind; 0 takes it back.
  virtual void fail(disk_call call, std::uint64_t nth, disk_fault fault) = 0;
  /// True until the call ordered to fail has come.
  virtual bool waits(disk_call call) const = 0;
  /// From now on `bytes` more can be written, then appends fail with "no
  /// space".
  virtual void limit_space(std::uint64_t bytes) = 0;
  virtual void lift_limit() = 0;

  /// The power goes: nothing reaches the directory on disk any more. Calls go on
  /// to succeed, in memory only, so that the database can be closed without
  /// delay; what it says from here on means nothing. Then it is opened anew with
  /// a new environment. `seed` picks where writes are torn.
  virtual void power_off(unsynced what, std::uint64_t seed) = 0;

  /// From now on each sync of a file takes so much longer; 0 = no longer, and
  /// those that wait go on.
  virtual void slow_syncs(std::chrono::milliseconds delay) = 0;

  virtual std::uint64_t calls(disk_call call) const = 0;
};

/// A disk and the environment that works on it (`engine_options::environment`).
struct fault_environment {
  std::shared_ptr<rocksdb::Env> environment;
  std::shared_ptr<fault_disk> disk;
};

/// On top of the machine's file system.
fault_environment make_fault_environment();

} // namespace muster::storage
