#include "storage/rocksdb/wal_file_system.hpp"

#include <string>

namespace muster::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

/// How far ahead is filled. A piece costs one slow sync (the length changes),
/// so it should last for dozens of records; an idle node keeps one on disk.
constexpr std::size_t piece = 1 << 20;

const std::string& zeros() {
  static const std::string bytes(piece, '\0');
  return bytes;
}

class wal_file : public rocksdb::FSWritableFileOwnerWrapper {
public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;

  IOStatus Append(const Slice& data, const IOOptions& options,
                  IODebugContext* context) override {
    auto status = target()->PositionedAppend(data, size_, options, context);
    if (!status.ok())
      return status;
    size_ += data.size();
    if (size_ <= filled_)
      return status;
    status = target()->PositionedAppend(zeros(), size_, options, context);
    if (status.ok())
      filled_ = size_ + piece;
    return status;
  }

  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&,
                  IODebugContext* context) override {
    return Append(data, options, context);
  }

  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
    return size_;
  }

  /// The zeros are the preallocation.
  void PrepareWrite(size_t, size_t, const IOOptions&,
                    IODebugContext*) override {}

  IOStatus Close(const IOOptions& options, IODebugContext* context) override {
    const auto cut = target()->Truncate(size_, options, context);
    const auto closed = target()->Close(options, context);
    return cut.ok() ? closed : cut;
  }

private:
  std::uint64_t size_ = 0;
  /// The file has bytes up to here.
  std::uint64_t filled_ = 0;
};

} // namespace

bool is_wal(std::string_view path) { return path.ends_with(".log"); }

rocksdb::IOStatus wal_file_system::NewWritableFile(
  const std::string& path, const rocksdb::FileOptions& options,
  std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* context) {
  auto status = target_->NewWritableFile(path, options, file, context);
  if (status.ok() && is_wal(path))
    *file = std::make_unique<wal_file>(std::move(*file));
  return status;
}

} // namespace muster::storage
