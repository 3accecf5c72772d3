#include "storage/rocksdb/wal_check.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/core/base/crc32c.hpp"
#include "storage/rocksdb/database.hpp"
#include "storage/rocksdb/wal_file_system.hpp"

namespace muster::storage {
namespace {

constexpr std::size_t block = 32 << 10;
/// crc(4, little endian) length(2, little endian) type(1)
constexpr std::size_t head = 7;
enum record_type : unsigned char { full = 1, first = 2, middle = 3, last = 4 };

unsigned char byte_at(std::string_view data, std::size_t at) {
  return static_cast<unsigned char>(data[at]);
}

/// Length, head included, of a sound physical record at `at`; else 0.
std::size_t record_at(std::string_view data, std::size_t at) {
  const auto left = std::min(data.size(), at / block * block + block) - at;
  if (left < head)
    return 0;
  const auto type = byte_at(data, at + 6);
  if (type < full || type > last)
    return 0;
  const std::size_t length = byte_at(data, at + 4)
                             + (std::size_t{byte_at(data, at + 5)} << 8);
  if (head + length > left)
    return 0;
  std::uint32_t stored = 0;
  for (std::size_t i = 4; i-- > 0;)
    stored = (stored << 8) | byte_at(data, at + i);
  const auto crc = crc32c(data.substr(at + 6, 1 + length));
  const auto masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
  return stored == masked ? head + length : 0;
}

struct scan_end {
  /// Behind the last complete logical record.
  std::size_t whole = 0;
  /// Where the sound records end.
  std::size_t sound = 0;
};

scan_end scan(std::string_view data) {
  scan_end end;
  bool open = false;
  std::size_t at = 0;
  while (at < data.size()) {
    if (block - at % block < head) {
      at += block - at % block;
      continue;
    }
    const auto length = record_at(data, at);
    if (length == 0)
      break;
    const auto type = byte_at(data, at + 6);
    if ((type == full || type == first) == open)
      break;
    open = type == first || type == middle;
    at += length;
    end.sound = at;
    if (!open)
      end.whole = at;
  }
  return end;
}

/// Whether a logical record begins anywhere at or behind `at`.
bool begins_behind(std::string_view data, std::size_t at) {
  for (; at + head <= data.size(); ++at) {
    const auto type = byte_at(data, at + 6);
    if ((type == full || type == first) && record_at(data, at) != 0)
      return true;
  }
  return false;
}

result<std::string> read_all(rocksdb::FileSystem& files,
                             const std::string& path) {
  std::string data;
  const auto status = rocksdb::ReadFileToString(&files, path, &data);
  if (!status.ok())
    return failed(status, "read " + path);
  return data;
}

std::unexpected<error> damaged(const std::string& path, std::size_t at) {
  return fail(errc::data_loss, path + ": damaged at offset "
                                 + std::to_string(at)
                                 + ", acknowledged records stand behind it");
}

/// Cuts the torn end off, so that RocksDB and later checks find a clean file.
result<void> cut(rocksdb::FileSystem& files, const std::string& path,
                 std::size_t size) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::IOStatus status = files.Truncate(path, size, {}, nullptr);
  if (status.ok())
    status = files.ReopenWritableFile(path, {}, &file, nullptr);
  if (status.ok())
    status = file->Fsync({}, nullptr);
  if (status.ok())
    status = file->Close({}, nullptr);
  if (!status.ok())
    return failed(status, "cut " + path);
  return {};
}

struct torn_file {
  std::string path;
  std::size_t whole;
};

} // namespace

result<void> check_wal_files(rocksdb::FileSystem& files,
                             const std::filesystem::path& directory) {
  if (!files.FileExists(directory.string(), {}, nullptr).ok())
    return {};
  std::vector<std::string> names;
  const auto status
    = files.GetChildren(directory.string(), {}, &names, nullptr);
  if (!status.ok())
    return failed(status, "list " + directory.string());
  std::erase_if(names, [](const auto& name) { return !is_wal(name); });
  // The numbers have leading zeros: order of names is order of writing.
  std::ranges::sort(names);
  std::optional<torn_file> torn;
  for (const auto& name : names) {
    const auto path = (directory / name).string();
    const auto data = read_all(files, path);
    if (!data)
      return std::unexpected(data.error());
    const auto end = scan(*data);
    if (torn && end.sound > 0)
      return damaged(torn->path, torn->whole);
    if (begins_behind(*data, end.sound))
      return damaged(path, end.sound);
    // Zeros behind the last record are only the space made ahead.
    if (data->find_first_not_of('\0', end.whole) != std::string::npos)
      torn = {path, end.whole};
  }
  return torn ? cut(files, torn->path, torn->whole) : result<void>{};
}

} // namespace muster::storage
