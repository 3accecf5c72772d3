#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "storage/fault/fault_environment.hpp"
#include "storage/fault/inode.hpp"

namespace muster::storage::fault {

/// Why a call was refused; empty = it may go on.
using refusal = std::optional<disk_fault>;

/// Files and names as the running program sees them, over those that are
/// durable. The file system (fault_file_system.cpp) is a thin dress around it.
class disk : public fault_disk {
public:
  void fail(disk_call call, std::uint64_t nth, disk_fault fault) override;
  bool waits(disk_call call) const override;
  void limit_space(std::uint64_t bytes) override;
  void lift_limit() override;
  void power_off(unsynced what, std::uint64_t seed) override;
  void slow_syncs(std::chrono::milliseconds delay) override;
  std::uint64_t calls(disk_call call) const override;

  using file = std::shared_ptr<inode>;

  /// Counts the call; says whether it has to fail. `bytes` are to be written.
  refusal enter(disk_call call, std::uint64_t bytes = 0);

  file create(const std::string& path);
  /// The file of that name, durable or not; nullptr if there is none.
  file find(const std::string& path);
  bool exists(const std::string& path);
  void rename(const std::string& from, const std::string& to);
  void remove(const std::string& path);
  /// Corrects what is in the durable directory to what the program sees.
  void overlay(const std::string& directory, std::vector<std::string>& names);
  void sync_directory(const std::string& directory);

  void write(inode& f, std::uint64_t offset, std::string_view bytes);
  void truncate(inode& f, std::uint64_t size);
  /// Waits for as long as syncs are told to take; other calls go on meanwhile.
  void sync(inode& f);
  std::string read(const inode& f, std::uint64_t offset, std::size_t count);
  std::uint64_t size(const inode& f);

private:
  enum class action : std::uint8_t { create, rename, remove };
  /// A change of names that its directory's sync has not made durable yet.
  struct pending {
    action what;
    std::string path;
    std::string from;
    file subject;
  };
  struct order {
    std::uint64_t left = 0;
    disk_fault fault = disk_fault::io_error;
  };

  file find_locked(const std::string& path);
  void perform(const pending& p);

  mutable std::mutex mutex_;
  /// Nothing becomes durable any more.
  bool off_ = false;
  std::array<std::uint64_t, disk_calls> counts_{};
  std::array<order, disk_calls> orders_{};
  std::optional<std::uint64_t> space_;
  std::chrono::milliseconds sync_delay_{0};
  /// Syncs need no longer wait.
  std::condition_variable quick_again_;
  /// What the program sees; null = removed. Names not in here are as on disk.
  std::map<std::string, file> names_;
  std::vector<pending> pending_;
};

} // namespace muster::storage::fault
