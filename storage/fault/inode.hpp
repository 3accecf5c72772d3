#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace muster::storage::fault {

/// A file: what is durable of it, and what was written since.
///
/// The durable part is a file of the machine once the name is durable, before
/// that it is kept in memory. Not safe for concurrent use. Calls of the machine
/// that fail end the test program: a real disk's fault is not ours to play.
class inode {
public:
  /// A new, empty file without a durable name.
  inode() = default;
  /// One that is on disk already.
  explicit inode(std::string path);
  inode(const inode&) = delete;
  inode& operator=(const inode&) = delete;
  ~inode();

  std::uint64_t size() const { return size_; }
  void write(std::uint64_t offset, std::string_view bytes);
  void truncate(std::uint64_t size);
  std::string read(std::uint64_t offset, std::size_t count) const;
  /// Makes all written bytes durable.
  void sync();

  /// The name becomes durable: the durable bytes go to `path`.
  void materialise(const std::string& path);
  /// The durable name changes; the machine's file was renamed.
  void renamed(std::string path) { path_ = std::move(path); }
  /// The durable name goes.
  void unlinked();
  const std::string& path() const { return path_; }

  /// Makes a part of the unsynced writes durable, as a power loss may: what
  /// lies behind the durable end up to some length, what overwrites durable
  /// bytes by sectors in any order.
  void tear(std::mt19937_64& random);

private:
  struct change {
    std::uint64_t offset = 0;
    std::string bytes;
    bool truncates = false;
  };

  void apply(const change& c);
  void apply_write(std::uint64_t offset, std::string_view bytes);
  void tear_overwrite(const change& c, std::size_t length,
                      std::mt19937_64& random);

  /// Empty while the name is not durable.
  std::string path_;
  int fd_ = -1;
  /// Durable bytes of a file without a durable name.
  std::string staged_;
  std::uint64_t durable_size_ = 0;
  std::uint64_t size_ = 0;
  std::vector<change> changes_;
};

} // namespace muster::storage::fault
