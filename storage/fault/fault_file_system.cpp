#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <algorithm>
#include <cstring>

#include "storage/fault/disk.hpp"

namespace muster::storage {
namespace fault {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus status_of(const refusal& refused) {
  if (!refused)
    return IOStatus::OK();
  return *refused == disk_fault::no_space
           ? IOStatus::NoSpace("fault disk: no space")
           : IOStatus::IOError("fault disk: failed as ordered");
}

std::string_view view(const Slice& s) { return {s.data(), s.size()}; }

class writable_file : public rocksdb::FSWritableFile {
public:
  writable_file(std::shared_ptr<disk> d, disk::file f)
    : disk_(std::move(d)), file_(std::move(f)), end_(disk_->size(*file_)) {}

  IOStatus Append(const Slice& data, const IOOptions& options,
                  IODebugContext* context) override {
    return PositionedAppend(data, end_, options, context);
  }

  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&,
                  IODebugContext* context) override {
    return Append(data, options, context);
  }

  IOStatus PositionedAppend(const Slice& data, uint64_t offset,
                            const IOOptions&, IODebugContext*) override {
    if (auto refused = disk_->enter(disk_call::append, data.size()))
      return status_of(refused);
    disk_->write(*file_, offset, view(data));
    end_ = offset + data.size();
    return IOStatus::OK();
  }

  IOStatus PositionedAppend(const Slice& data, uint64_t offset,
                            const IOOptions& options,
                            const rocksdb::DataVerificationInfo&,
                            IODebugContext* context) override {
    return PositionedAppend(data, offset, options, context);
  }

  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    if (auto refused = disk_->enter(disk_call::append))
      return status_of(refused);
    disk_->truncate(*file_, size);
    end_ = size;
    return IOStatus::OK();
  }

  IOStatus Close(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

  IOStatus Flush(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    if (auto refused = disk_->enter(disk_call::sync))
      return status_of(refused);
    disk_->sync(*file_);
    return IOStatus::OK();
  }

  bool IsSyncThreadSafe() const override { return true; }

  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
    return end_;
  }

private:
  std::shared_ptr<disk> disk_;
  disk::file file_;
  std::uint64_t end_;
};

/// Both kinds of reading come down to this.
IOStatus read_at(disk& d, const inode& f, std::uint64_t offset,
                 std::size_t count, Slice* result, char* scratch) {
  if (auto refused = d.enter(disk_call::read))
    return status_of(refused);
  const auto bytes = d.read(f, offset, count);
  std::memcpy(scratch, bytes.data(), bytes.size());
  *result = Slice(scratch, bytes.size());
  return IOStatus::OK();
}

class sequential_file : public rocksdb::FSSequentialFile {
public:
  sequential_file(std::shared_ptr<disk> d, disk::file f)
    : disk_(std::move(d)), file_(std::move(f)) {}

  IOStatus Read(size_t count, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    auto status = read_at(*disk_, *file_, at_, count, result, scratch);
    if (status.ok())
      at_ += result->size();
    return status;
  }

  IOStatus Skip(uint64_t count) override {
    at_ += count;
    return IOStatus::OK();
  }

private:
  std::shared_ptr<disk> disk_;
  disk::file file_;
  std::uint64_t at_ = 0;
};

class random_access_file : public rocksdb::FSRandomAccessFile {
public:
  random_access_file(std::shared_ptr<disk> d, disk::file f)
    : disk_(std::move(d)), file_(std::move(f)) {}

  IOStatus Read(uint64_t offset, size_t count, const IOOptions&, Slice* result,
                char* scratch, IODebugContext*) const override {
    return read_at(*disk_, *file_, offset, count, result, scratch);
  }

private:
  std::shared_ptr<disk> disk_;
  disk::file file_;
};

class directory : public rocksdb::FSDirectory {
public:
  directory(std::shared_ptr<disk> d, std::string path)
    : disk_(std::move(d)), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    if (auto refused = disk_->enter(disk_call::sync_directory))
      return status_of(refused);
    disk_->sync_directory(path_);
    return IOStatus::OK();
  }

  IOStatus Close(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

private:
  std::shared_ptr<disk> disk_;
  std::string path_;
};

/// The database's own lock and text log go straight to the machine.
bool is_plain(const std::string& path) {
  return std::filesystem::path(path).filename().string().starts_with("LO");
}

IOStatus missing(const std::string& path) {
  return IOStatus::PathNotFound(path, "fault disk: no such file");
}

class file_system : public rocksdb::FileSystemWrapper {
public:
  file_system(std::shared_ptr<rocksdb::FileSystem> base,
              std::shared_ptr<disk> d)
    : FileSystemWrapper(std::move(base)), disk_(std::move(d)) {}

  const char* Name() const override { return "muster_fault_file_system"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext*) override {
    if (auto refused = disk_->enter(disk_call::open))
      return status_of(refused);
    *file = std::make_unique<writable_file>(disk_, disk_->create(path));
    return IOStatus::OK();
  }

  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>* file,
                              IODebugContext*) override {
    return open<writable_file>(path, file);
  }

  IOStatus NewSequentialFile(const std::string& path,
                             const FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* file,
                             IODebugContext* context) override {
    if (is_plain(path))
      return target_->NewSequentialFile(path, options, file, context);
    return open<sequential_file>(path, file);
  }

  IOStatus
  NewRandomAccessFile(const std::string& path, const FileOptions&,
                      std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                      IODebugContext*) override {
    return open<random_access_file>(path, file);
  }

  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* made,
                        IODebugContext*) override {
    *made = std::make_unique<directory>(disk_, path);
    return IOStatus::OK();
  }

  IOStatus FileExists(const std::string& path, const IOOptions&,
                      IODebugContext*) override {
    return disk_->exists(path) ? IOStatus::OK()
                               : IOStatus::NotFound(path, "fault disk");
  }

  IOStatus GetChildren(const std::string& path, const IOOptions& options,
                       std::vector<std::string>* names,
                       IODebugContext* context) override {
    if (auto refused = disk_->enter(disk_call::list))
      return status_of(refused);
    auto status = target_->GetChildren(path, options, names, context);
    if (status.ok())
      disk_->overlay(path, *names);
    return status;
  }

  IOStatus GetFileSize(const std::string& path, const IOOptions&,
                       uint64_t* size, IODebugContext*) override {
    const auto f = disk_->find(path);
    if (!f)
      return missing(path);
    *size = disk_->size(*f);
    return IOStatus::OK();
  }

  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* context) override {
    if (is_plain(path))
      return target_->DeleteFile(path, options, context);
    if (auto refused = disk_->enter(disk_call::remove))
      return status_of(refused);
    if (!disk_->exists(path))
      return missing(path);
    disk_->remove(path);
    return IOStatus::OK();
  }

  IOStatus RenameFile(const std::string& from, const std::string& to,
                      const IOOptions& options,
                      IODebugContext* context) override {
    if (is_plain(from))
      return target_->RenameFile(from, to, options, context);
    if (auto refused = disk_->enter(disk_call::rename))
      return status_of(refused);
    if (!disk_->exists(from))
      return missing(from);
    disk_->rename(from, to);
    return IOStatus::OK();
  }

  IOStatus Truncate(const std::string& path, size_t size, const IOOptions&,
                    IODebugContext*) override {
    if (auto refused = disk_->enter(disk_call::append))
      return status_of(refused);
    const auto f = disk_->find(path);
    if (!f)
      return missing(path);
    disk_->truncate(*f, size);
    return IOStatus::OK();
  }

  /// RocksDB then copies.
  IOStatus LinkFile(const std::string&, const std::string&, const IOOptions&,
                    IODebugContext*) override {
    return IOStatus::NotSupported("fault disk: no links");
  }

  IOStatus NewRandomRWFile(const std::string&, const FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>*,
                           IODebugContext*) override {
    return IOStatus::NotSupported("fault disk: no files written at random");
  }

  IOStatus ReuseWritableFile(const std::string&, const std::string&,
                             const FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>*,
                             IODebugContext*) override {
    return IOStatus::NotSupported("fault disk: no files used again");
  }

private:
  template <class File, class Out>
  IOStatus open(const std::string& path, std::unique_ptr<Out>* file) {
    if (auto refused = disk_->enter(disk_call::open))
      return status_of(refused);
    auto f = disk_->find(path);
    if (!f)
      return missing(path);
    *file = std::make_unique<File>(disk_, std::move(f));
    return IOStatus::OK();
  }

  std::shared_ptr<disk> disk_;
};

} // namespace
} // namespace fault

fault_environment make_fault_environment() {
  auto d = std::make_shared<fault::disk>();
  auto files = std::make_shared<fault::file_system>(
    rocksdb::FileSystem::Default(), d);
  return {rocksdb::NewCompositeEnv(files), std::move(d)};
}

} // namespace muster::storage
