#include "storage/fault/inode.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace muster::storage::fault {
namespace {

constexpr std::size_t sector = 512;

void expect(bool fine, const char* what, const std::string& path) {
  if (fine)
    return;
  std::perror((std::string("fault disk: ") + what + " " + path).c_str());
  std::abort();
}

} // namespace

inode::inode(std::string path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
  expect(fd_ >= 0, "open", path_);
  struct stat info {};
  expect(::fstat(fd_, &info) == 0, "stat", path_);
  durable_size_ = size_ = static_cast<std::uint64_t>(info.st_size);
}

inode::~inode() {
  if (fd_ >= 0)
    ::close(fd_);
}

void inode::write(std::uint64_t offset, std::string_view bytes) {
  changes_.push_back({offset, std::string(bytes), false});
  size_ = std::max(size_, offset + bytes.size());
}

void inode::truncate(std::uint64_t size) {
  changes_.push_back({size, {}, true});
  size_ = size;
}

std::string inode::read(std::uint64_t offset, std::size_t count) const {
  if (offset >= size_)
    return {};
  count = static_cast<std::size_t>(
    std::min<std::uint64_t>(count, size_ - offset));
  std::string out(count, '\0');
  if (fd_ >= 0) {
    const auto n = ::pread(fd_, out.data(), count,
                           static_cast<off_t>(offset));
    expect(n >= 0, "read", path_);
  } else if (offset < staged_.size()) {
    staged_.copy(out.data(), count, static_cast<std::size_t>(offset));
  }
  for (const auto& c : changes_) {
    if (c.truncates) {
      if (c.offset < offset + count)
        std::fill(out.begin()
                    + static_cast<std::ptrdiff_t>(
                      std::max(c.offset, offset) - offset),
                  out.end(), '\0');
      continue;
    }
    const auto from = std::max(offset, c.offset);
    const auto to = std::min(offset + count, c.offset + c.bytes.size());
    if (from < to)
      std::copy_n(c.bytes.data() + (from - c.offset), to - from,
                  out.data() + (from - offset));
  }
  return out;
}

void inode::apply_write(std::uint64_t offset, std::string_view bytes) {
  durable_size_ = std::max(durable_size_, offset + bytes.size());
  if (fd_ < 0) {
    staged_.resize(static_cast<std::size_t>(durable_size_));
    std::ranges::copy(bytes, staged_.begin()
                               + static_cast<std::ptrdiff_t>(offset));
    return;
  }
  const auto n
    = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
  expect(n == static_cast<ssize_t>(bytes.size()), "write", path_);
}

void inode::apply(const change& c) {
  if (!c.truncates)
    return apply_write(c.offset, c.bytes);
  durable_size_ = c.offset;
  if (fd_ < 0)
    staged_.resize(static_cast<std::size_t>(c.offset));
  else
    expect(::ftruncate(fd_, static_cast<off_t>(c.offset)) == 0, "truncate",
           path_);
}

void inode::sync() {
  for (const auto& c : changes_)
    apply(c);
  changes_.clear();
}

void inode::materialise(const std::string& path) {
  path_ = path;
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
               S_IRUSR | S_IWUSR);
  expect(fd_ >= 0, "open", path);
  durable_size_ = 0;
  apply_write(0, std::exchange(staged_, {}));
}

void inode::unlinked() {
  // Who has it open may go on reading.
  path_.clear();
}

void inode::tear_overwrite(const change& c, std::size_t length,
                           std::mt19937_64& random) {
  for (std::size_t at = 0; at < length;) {
    const auto end = std::min<std::size_t>(
      length,
      at + sector - static_cast<std::size_t>((c.offset + at) % sector));
    if (random() % 2 == 0)
      apply_write(c.offset + at, std::string_view{c.bytes}.substr(at, end - at));
    at = end;
  }
}

void inode::tear(std::mt19937_64& random) {
  const auto durable_before = durable_size_;
  for (const auto& c : changes_) {
    if (c.truncates)
      break;
    const auto overwrites = static_cast<std::size_t>(
      std::min<std::uint64_t>(c.bytes.size(),
                              durable_before > c.offset
                                ? durable_before - c.offset : 0));
    tear_overwrite(c, overwrites, random);
    const auto behind = c.bytes.size() - overwrites;
    if (behind == 0)
      continue;
    const auto kept = static_cast<std::size_t>(random() % (behind + 1));
    apply_write(c.offset + overwrites,
                std::string_view{c.bytes}.substr(overwrites, kept));
    if (kept < behind)
      break;
  }
}

} // namespace muster::storage::fault
